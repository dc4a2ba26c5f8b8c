/**
 * The steps of scipy.ndimage that segment.js needs, with the same results.
 *
 * A grid is {height, width, values}, in row-major order. A mask is a grid whose values are 0 or 1.
 */

export function gridOf(height, width, values) {
  return { height, width, values };
}

/** Return a grid of the values f(value, place). */
export function mapped({ height, width, values }, f, Kind = Uint8Array) {
  const result = new Kind(values.length);
  for (let place = 0; place < values.length; place++) result[place] = f(values[place], place);
  return gridOf(height, width, result);
}

/** Swap rows and columns. */
export function transposed({ height, width, values }) {
  const turned = new values.constructor(values.length);
  for (let row = 0, place = 0; row < height; row++) {
    for (let column = 0; column < width; column++, place++) turned[column * height + row] = values[place];
  }
  return gridOf(width, height, turned);
}

/** Apply a filter of rows to columns. */
export function downColumns(grid, filterRows) {
  return transposed(filterRows(transposed(grid)));
}

/** Widen a grid by zeros: `right` at both ends of each row, and `down` rows above and below. */
export function padded({ height, width, values }, right, down = right) {
  const wide = width + 2 * right;
  const result = new values.constructor((height + 2 * down) * wide);
  for (let row = 0; row < height; row++) {
    result.set(values.subarray(row * width, (row + 1) * width), (row + down) * wide + right);
  }
  return gridOf(height + 2 * down, wide, result);
}

/** Return every n-th value of every n-th row. */
export function everyNth({ height, width, values }, n) {
  const [rows, columns] = [height, width].map((length) => Math.ceil(length / n));
  const result = new values.constructor(rows * columns);
  for (let place = 0; place < result.length; place++) {
    result[place] = values[n * Math.floor(place / columns) * width + n * (place % columns)];
  }
  return gridOf(rows, columns, result);
}

/** Widen a grid by `margin` on all sides, with copies of its edge. */
export function paddedByEdge({ height, width, values }, margin) {
  const wide = width + 2 * margin;
  const result = new values.constructor((height + 2 * margin) * wide);
  for (let row = 0; row < height + 2 * margin; row++) {
    const first = clamped(row - margin, height) * width;
    const line = result.subarray(row * wide, (row + 1) * wide);
    line.fill(values[first], 0, margin).fill(values[first + width - 1], margin + width);
    line.set(values.subarray(first, first + width), margin);
  }
  return gridOf(height + 2 * margin, wide, result);
}

function clamped(place, length) {
  return Math.min(Math.max(place, 0), length - 1);
}

/** Return the part of a grid in a box [top, left, height, width]. */
export function cropped({ width: wide, values }, [top, left, height, width]) {
  const result = new values.constructor(height * width);
  for (let row = 0; row < height; row++) {
    const first = (top + row) * wide + left;
    result.set(values.subarray(first, first + width), row * width);
  }
  return gridOf(height, width, result);
}

/** Return the place in a line of `length` values whose mirror image is at a place outside (d c b a|a b c d). */
function mirrored(place, length) {
  const inPeriod = ((place % (2 * length)) + 2 * length) % (2 * length);
  return Math.min(inPeriod, 2 * length - 1 - inPeriod);
}

/**
 * uniform_filter of whole numbers: the mean of `size` values (odd), along columns and then along rows. The decimals are
 * dropped after each axis.
 */
export function uniformFilter(grid, size) {
  return uniformRows(downColumns(grid, (turned) => uniformRows(turned, size)), size);
}

function uniformRows({ height, width, values }, size) {
  const result = new values.constructor(values.length);
  const places = Int32Array.from({ length: width + size - 1 }, (_, n) => mirrored(n - (size >> 1), width));
  for (let first = 0; first < values.length; first += width) {
    let sum = 0;
    for (let n = 0; n < size - 1; n++) sum += values[first + places[n]];
    for (let column = 0; column < width; column++) {
      sum += values[first + places[column + size - 1]];
      result[first + column] = Math.floor(sum / size);
      sum -= values[first + places[column]];
    }
  }
  return gridOf(height, width, result);
}

/** Return the minimum of each window of `size` values that lies inside a row: the rows become shorter by size - 1. */
export function minimaInRows(grid, size) {
  return extremesInRows(grid, size, -1);
}

/** Return the maximum of each window of `size` values that lies inside a row. */
export function maximaInRows(grid, size) {
  return extremesInRows(grid, size, 1);
}

/**
 * Return the maximum, times `sign`, of `sign` times the values in each window.
 *
 * Three comparisons a value are enough, however large the window is (van Herk 1992; Gil and Werman 1993): the row is
 * cut into blocks as long as the window. A window is an end of one block and a start of the next one.
 */
function extremesInRows({ height, width, values }, size, sign) {
  const narrow = width - size + 1;
  const result = new values.constructor(height * narrow);
  const length = Math.ceil(width / size) * size;
  const [line, starts, ends] = [0, 0, 0].map(() => new Int16Array(length));
  for (let row = 0; row < height; row++) {
    for (let n = 0, place = row * width; n < width; n++, place++) line[n] = sign * values[place];
    for (let block = 0; block < length; block += size) maximaOfBlock(line, block, block + size, starts, ends);
    for (let n = 0, place = row * narrow; n < narrow; n++, place++) {
      const [end, start] = [ends[n], starts[n + size - 1]];
      result[place] = sign * (end > start ? end : start);
    }
  }
  return gridOf(height, narrow, result);
}

/** Fill in the maximum of each start and of each end of a block of the line. */
function maximaOfBlock(line, first, end, starts, ends) {
  for (let n = first, largest = line[first]; n < end; n++) {
    if (line[n] > largest) largest = line[n];
    starts[n] = largest;
  }
  for (let n = end - 1, largest = line[end - 1]; n >= first; n--) {
    if (line[n] > largest) largest = line[n];
    ends[n] = largest;
  }
}

/** median_filter with an odd window of size x size and mirrored borders. */
export function medianFilter({ height, width, values }, size) {
  const [down, right] = [height, width].map((length) =>
    Int32Array.from({ length: length + size - 1 }, (_, n) => mirrored(n - (size >> 1), length)),
  );
  const window = new Float64Array(size * size);
  const result = new Float64Array(values.length);
  for (let place = 0; place < values.length; place++) {
    const [row, column] = [Math.floor(place / width), place % width];
    let n = 0;
    for (let i = row; i < row + size; i++) {
      const first = down[i] * width;
      for (let j = column; j < column + size; j++) window[n++] = values[first + right[j]];
    }
    result[place] = nthSmallest(window, window.length >> 1);
  }
  return gridOf(height, width, result);
}

/** Return what would be at index n if the values were sorted (Hoare's selection); reorders them. */
function nthSmallest(values, n) {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[n];
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      [values[i], values[j]] = [values[j], values[i]];
      i++;
      j--;
    }
    if (j < n) low = i;
    if (i > n) high = j;
  }
  return values[n];
}

/**
 * Number the connected parts of a mask, neighbours on diagonals included, from 1 in the order of their first pixels.
 * Returns {labels: grid, count}. The first pass notes which provisional numbers meet, the second one replaces them.
 */
export function label({ height, width, values }) {
  const labels = new Int32Array(values.length);
  const parents = [0];
  const root = (number) => {
    while (parents[number] !== number) number = parents[number] = parents[parents[number]];
    return number;
  };
  for (let place = 0; place < values.length; place++) {
    if (!values[place]) continue;
    for (const number of neighboursBefore(labels, place, width)) {
      const [one, other] = [root(labels[place]), root(number)];
      if (one) parents[Math.max(one, other)] = Math.min(one, other);
      labels[place] = one ? Math.min(one, other) : other;
    }
    if (!labels[place]) labels[place] = parents.push(parents.length) - 1;
  }
  return renumbered(gridOf(height, width, labels), parents.map((_, number) => root(number)));
}

/** Return the labels of the four neighbours that come before a pixel, without zeros. */
function neighboursBefore(labels, place, width) {
  const column = place % width;
  const found = [];
  if (column > 0 && labels[place - 1]) found.push(labels[place - 1]);
  if (place < width) return found;
  for (let other = place - width - (column > 0); other <= place - width + (column < width - 1); other++) {
    if (labels[other]) found.push(labels[other]);
  }
  return found;
}

/** Replace provisional labels by their roots, numbered from 1 without gaps. */
function renumbered({ height, width, values }, roots) {
  const numbers = new Map([[0, 0]]);
  for (const root of roots) if (!numbers.has(root)) numbers.set(root, numbers.size);
  const final = Int32Array.from(roots, (root) => numbers.get(root));
  return { labels: gridOf(height, width, values.map((number) => final[number])), count: numbers.size - 1 };
}

/** find_objects: return the box [top, left, height, width] of each label from 1 to `count`. */
export function boxesOf({ height, width, values }, count) {
  const boxes = Array.from({ length: count + 1 }, () => [height, width, -1, -1]); // top, left, bottom, right
  for (let row = 0, place = 0; row < height; row++) {
    for (let column = 0; column < width; column++, place++) {
      if (!values[place]) continue;
      const box = boxes[values[place]];
      box[0] = Math.min(box[0], row);
      box[1] = Math.min(box[1], column);
      box[2] = row;
      box[3] = Math.max(box[3], column);
    }
  }
  return boxes.slice(1).map(([top, left, bottom, right]) => [top, left, bottom - top + 1, right - left + 1]);
}

/**
 * Return the squares of the Euclidean distances from the pixels of a mask to the nearest zero, which must exist
 * (Felzenszwalb and Huttenlocher 2012, Distance Transforms of Sampled Functions): first along columns, then along rows.
 */
export function squaredDistances(mask) {
  const far = mask.height + mask.width;
  return nearestRows(downColumns(mapped(mask, (inside) => inside * far * far, Float64Array), nearestRows));
}

/** Replace each value f(q) of a row by the minimum of (q - p)² + f(p) over all p: the lower envelope of parabolas. */
function nearestRows({ height, width, values }) {
  const result = new Float64Array(values.length);
  const [vertices, borders] = [new Int32Array(width), new Float64Array(width + 1)];
  for (let first = 0; first < values.length; first += width) {
    const line = values.subarray(first, first + width);
    lowerEnvelope(line, vertices, borders);
    for (let column = 0, n = 0; column < width; column++) {
      while (borders[n + 1] < column) n++;
      result[first + column] = (column - vertices[n]) ** 2 + line[vertices[n]];
    }
  }
  return gridOf(height, width, result);
}

/** Fill in the places of the parabolas that form the envelope, and the borders between them. */
function lowerEnvelope(line, vertices, borders) {
  let n = 0;
  [vertices[0], borders[0], borders[1]] = [0, -Infinity, Infinity];
  for (let place = 1; place < line.length; place++) {
    let crossing = crossingOf(line, vertices[n], place);
    while (crossing <= borders[n]) crossing = crossingOf(line, vertices[--n], place);
    [vertices[++n], borders[n], borders[n + 1]] = [place, crossing, Infinity];
  }
}

/** Return where the parabolas over two places of a line cross. */
function crossingOf(line, p, q) {
  return (line[q] + q * q - line[p] - p * p) / (2 * (q - p));
}
