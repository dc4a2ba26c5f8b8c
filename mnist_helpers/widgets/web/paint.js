/** Feature maps as pictures: each map a tile, all tiles of a stage on one canvas and in one scale. */

const TILE = 24; // pixels of the canvas; smaller maps are enlarged
const GAP = 4;
const LOW = [14, 18, 24];
const MIDDLE = [0, 114, 178];
const HIGH = [255, 255, 255];
const HEAT = [255, 140, 0];
const WEAKEST = 0.1; // the fall of the probability below which no place becomes fully orange
const BETWEEN = "#39424e";
const [NEGATIVE, ZERO, POSITIVE] = [[33, 102, 172], [255, 255, 255], [178, 24, 43]]; // as in the figures of chapter 02
const SHADES = Array.from({ length: 256 }, (_, n) => (n < 128 ? mixed(LOW, MIDDLE, n / 128) : mixed(MIDDLE, HIGH, (n - 128) / 127)));

/** Return the colour at `share` of the way between two colours [red, green, blue]. */
export function mixed(from, to, share) {
  return from.map((value, n) => Math.round(value + (to[n] - value) * share));
}

/** Return the colour of a number from -1 (blue) over 0 (white) to 1 (red). */
export function signed(share) {
  return mixed(ZERO, share < 0 ? NEGATIVE : POSITIVE, Math.min(Math.abs(share), 1));
}

/** Return the number of rows in which `count` tiles are shown. */
function rowsFor(count) {
  if (count <= 20) return Math.min(count, 5);
  if (count <= 50) return count % 12 === 0 ? (count === 24 ? 8 : 12) : 10;
  return 16;
}

/** Give a canvas the size for `count` tiles. */
export function sizeFor(canvas, count) {
  const rows = rowsFor(count);
  canvas.width = Math.ceil(count / rows) * (TILE + GAP) - GAP;
  canvas.height = rows * (TILE + GAP) - GAP;
}

/** Draw maps as tiles, from 0 (dark) to the largest value of all maps (white). */
export function paintMaps(canvas, maps) {
  const context = canvas.getContext("2d");
  paintNothing(canvas);
  const largest = Math.max(1e-6, maps.values.reduce((a, b) => Math.max(a, b), 0));
  const area = maps.height * maps.width;
  for (let channel = 0; channel < maps.channels; channel++) {
    const values = maps.values.subarray(channel * area, (channel + 1) * area);
    const shade = (place) => SHADES[Math.round((255 * Math.max(values[place], 0)) / largest)];
    context.putImageData(enlarged(maps.height, maps.width, TILE, shade), ...cornerOf(channel, maps.channels));
  }
}

/** Show the tiles of a stage without values. */
export function paintNothing(canvas) {
  const context = canvas.getContext("2d");
  context.fillStyle = BETWEEN;
  context.fillRect(0, 0, canvas.width, canvas.height);
}

/** Draw one map in the whole canvas; `shade(place)` returns a colour [red, green, blue]. */
export function paintOne(canvas, height, width, shade) {
  Object.assign(canvas, { height, width });
  canvas.getContext("2d").putImageData(enlarged(height, width, null, shade), 0, 0);
}

/** Draw a picture of 28x28 grey values, or none (null); where `falls` is large, it becomes orange. */
export function paintPicture(canvas, picture, falls = null) {
  if (picture === null) return paintOne(canvas, 28, 28, () => LOW);
  const most = falls === null ? 1 : Math.max(WEAKEST, falls.reduce((a, b) => Math.max(a, b)));
  paintOne(canvas, 28, 28, (place) => {
    const grey = [picture[place], picture[place], picture[place]];
    return falls === null ? grey : mixed(mixed(grey, [0, 0, 0], 0.45), HEAT, falls[place] / most);
  });
}

function enlarged(height, width, side, shade) {
  const [rows, columns] = side === null ? [height, width] : [side, side];
  const image = new ImageData(columns, rows);
  for (let place = 0; place < rows * columns; place++) {
    const row = Math.floor((Math.floor(place / columns) * height) / rows);
    const [red, green, blue] = shade(row * width + Math.floor(((place % columns) * width) / columns));
    image.data.set([red, green, blue, 255], 4 * place);
  }
  return image;
}

function cornerOf(channel, count) {
  const rows = rowsFor(count);
  return [Math.floor(channel / rows) * (TILE + GAP), (channel % rows) * (TILE + GAP)];
}

/** Return the map and the place in it under a pointer, {channel, row, column}, or null between the tiles. */
export function tileAt(canvas, event, { channels, height, width }) {
  const { left, top, width: shownWidth, height: shownHeight } = canvas.getBoundingClientRect();
  const x = ((event.clientX - left) * canvas.width) / shownWidth;
  const y = ((event.clientY - top) * canvas.height) / shownHeight;
  const channel = Math.floor(x / (TILE + GAP)) * rowsFor(channels) + Math.floor(y / (TILE + GAP));
  const [inX, inY] = [x % (TILE + GAP), y % (TILE + GAP)];
  if (!(channel >= 0 && channel < channels && inX >= 0 && inY >= 0 && inX < TILE && inY < TILE)) return null;
  return { channel, row: Math.floor((inY * height) / TILE), column: Math.floor((inX * width) / TILE) };
}

/** Return the place of a tile in shares of the canvas: {left, top, width, height}. */
export function frameOf(canvas, channel, count) {
  const [x, y] = cornerOf(channel, count);
  return { left: x / canvas.width, top: y / canvas.height, width: TILE / canvas.width, height: TILE / canvas.height };
}

/** Lay a frame around `size` x `size` values of a grid, which fills a part of the canvas below it, or all of it. */
export function layFrame(frame, [row, column], size, { height, width }, part = { left: 0, top: 0, width: 1, height: 1 }) {
  const percent = (share) => `${100 * share}%`;
  Object.assign(frame.style, {
    left: percent(part.left + (column / width) * part.width),
    top: percent(part.top + (row / height) * part.height),
    width: percent((size / width) * part.width),
    height: percent((size / height) * part.height),
  });
}
