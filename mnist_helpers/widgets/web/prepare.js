/**
 * Fit a digit into 28x28 as `centred` in mnist_helpers/drawing.py does. tests/browser compares the results.
 *
 * A grid is {height, width, values}, in row-major order. Pillow may average columns before rows, so that the last digit
 * in single precision is rounded differently: grey values half-way between two integers can differ by 1.
 */

import { transposed } from "./ndimage.js";

const PICTURE = 28;
const FRAME = 20;

/** Fit a grid of ink into 20x20 and centre its mass in 28x28. Returns Uint8Array(784). */
export function centred(ink) {
  const small = fitInto(ink, FRAME);
  return placed(small, [cornerAlong(small, 0), cornerAlong(small, 1)]);
}

function largest(values) {
  return values.reduce((a, b) => Math.max(a, b));
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
