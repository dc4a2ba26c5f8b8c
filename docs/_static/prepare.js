/**
 * The steps of mnist_helpers/drawing.py in JavaScript. tests/browser compares the results.
 *
 * A grid is {height, width, values}, in row-major order. Pillow may average columns before rows, so that the last digit
 * in single precision is rounded differently: grey values half-way between two integers can differ by 1.
 */

const SIDE = 280; // side of the drawing on the pad
const PICTURE = 28;
const FRAME = 20;

/**
 * Fit a drawing into 20x20 and centre its mass in 28x28.
 *
 * `drawing` holds 280*280 grey values, 0 for paper and 255 for ink. Returns null if there is no ink, otherwise
 * {picture: Uint8Array(784), box: [top, left, height, width], size: [height, width], corner: [row, column]}.
 */
export function prepare(drawing) {
  const inkOf = withoutPaper(drawing);
  const box = boxOf(drawing, inkOf);
  if (box === null) return null;
  return { box, ...centred(cut(drawing, inkOf, box)) };
}

/** Fit a grid of ink into 20x20 and centre its mass in 28x28. Returns {picture, size, corner} as `prepare` does. */
export function centred(ink) {
  const small = fitInto(ink, FRAME);
  const corner = [cornerAlong(small, 0), cornerAlong(small, 1)];
  return { picture: placed(small, corner), size: [small.height, small.width], corner };
}

/** Return a table that maps grey values 0..255 to ink 0..1: paper and shadows to 0, the strongest ink to 1. */
function withoutPaper(drawing) {
  const paper = median(drawing);
  const range = Math.max(largest(drawing) / 255 - paper, 1e-6);
  return Float64Array.from({ length: 256 }, (_, grey) => {
    const ink = Math.min(Math.max((grey / 255 - paper) / range, 0), 1);
    return ink < 0.25 ? 0 : ink;
  });
}

/** Return the median of an even number of greys, scaled to 0..1. Counting is much faster than sorting. */
function median(greys) {
  const counts = new Uint32Array(256);
  for (const grey of greys) counts[grey]++;
  const atRank = (rank) => counts.findIndex((count) => (rank -= count) < 0) / 255;
  return (atRank(greys.length / 2 - 1) + atRank(greys.length / 2)) / 2;
}

function largest(values) {
  return values.reduce((a, b) => Math.max(a, b));
}

/** Return the bounding box of the ink, [top, left, height, width], or null if there is no ink. */
function boxOf(drawing, inkOf) {
  let [top, left, bottom, right] = [SIDE, SIDE, -1, -1];
  for (let place = 0; place < drawing.length; place++) {
    if (inkOf[drawing[place]] === 0) continue;
    const [row, column] = [Math.floor(place / SIDE), place % SIDE];
    if (row < top) top = row;
    if (column < left) left = column;
    if (column > right) right = column;
    bottom = row;
  }
  return bottom < 0 ? null : [top, left, bottom - top + 1, right - left + 1];
}

/** Return the ink in the box as a grid in single precision. */
function cut(drawing, inkOf, [top, left, height, width]) {
  const values = new Float32Array(height * width);
  for (let place = 0; place < values.length; place++) {
    const [row, column] = [top + Math.floor(place / width), left + (place % width)];
    values[place] = inkOf[drawing[row * SIDE + column]];
  }
  return { height, width, values };
}

/** Resize a grid by averaging so that its longer side is `side`, and scale it so that its maximum is 255. */
function fitInto(grid, side) {
  const scale = side / Math.max(grid.height, grid.width);
  const [height, width] = [grid.height, grid.width].map((length) => Math.max(1, roundHalfEven(length * scale)));
  const narrow = transposed(averagedRows(transposed(grid), width));
  const small = averagedRows(narrow, height);
  const factor = 255 / largest(small.values);
  return { height, width, values: Float64Array.from(small.values, (grey) => grey * factor) };
}

/**
 * Resize a grid to `height` rows as Pillow's BOX filter does. Each new row is the mean of the rows whose centres lie in
 * its window, in single precision.
 */
function averagedRows(grid, height) {
  const values = new Float32Array(height * grid.width);
  for (let row = 0; row < height; row++) {
    const [first, end] = rowsUnder(row, grid.height / height, grid.height);
    const weight = 1 / (end - first);
    for (let column = 0; column < grid.width; column++) {
      let sum = 0;
      for (let old = first; old < end; old++) sum += grid.values[old * grid.width + column] * weight;
      values[row * grid.width + column] = sum;
    }
  }
  return { height, width: grid.width, values };
}

/** Return the rows [first, end) whose centres lie in the window of a new row, computed as in Pillow. */
function rowsUnder(row, scale, rows) {
  const window = Math.max(scale, 1);
  const centre = (row + 0.5) * scale;
  const places = Array.from({ length: Math.ceil(window) + 2 }, (_, n) => Math.trunc(centre - window / 2 + 0.5) + n);
  const end = Math.min(rows, Math.trunc(centre + window / 2 + 0.5));
  const inside = places.filter((old) => {
    const distance = (old - centre + 0.5) * (1 / window);
    return old >= 0 && old < end && distance > -0.5 && distance <= 0.5;
  });
  return [inside[0], inside.at(-1) + 1];
}

function transposed({ height, width, values }) {
  const turned = values.map((_, place) => values[(place % height) * width + Math.floor(place / height)]);
  return { height: width, width: height, values: turned };
}

/** Return the first row (axis 0) or column (axis 1) that centres the mass of the grid in 28x28 without cutting it. */
function cornerAlong({ height, width, values }, axis) {
  const [total, moment] = values.reduce(
    ([sum, weighted], grey, place) => [sum + grey, weighted + grey * [Math.floor(place / width), place % width][axis]],
    [0, 0],
  );
  const corner = roundHalfEven(PICTURE / 2 - moment / total);
  return Math.min(Math.max(corner, 0), PICTURE - [height, width][axis]);
}

function placed({ height, width, values }, [top, left]) {
  const picture = new Uint8Array(PICTURE * PICTURE);
  for (let row = 0; row < height; row++) {
    const greys = values.subarray(row * width, (row + 1) * width);
    picture.set(greys.map(roundHalfEven), (top + row) * PICTURE + left);
  }
  return picture;
}

/** Round half to even, as Python does. */
export function roundHalfEven(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
