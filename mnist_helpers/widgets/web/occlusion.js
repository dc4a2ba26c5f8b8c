/** What an answer rests on, as chapter 05 finds it: cover a part of the picture, and see how the probability falls. */

import { logitsOf, inputOf, softmax } from "./layers.js";
import { text } from "./text.js";

const SIDE = 28;
const SQUARE = 8; // side of the square that covers, as in chapter 05
const STEP = 2; // pixels from one place of the square to the next
const SLICE = 10; // ms of work before the page may react
const PLACES = [
  [text("at the top left"), text("at the top centre"), text("at the top right")],
  [text("at the middle left"), text("in the middle"), text("at the middle right")],
  [text("at the bottom left"), text("at the bottom centre"), text("at the bottom right")],
];

/**
 * Resolve to {before: the probability of `digit`, places: [{row, column, after}]} for black squares all over a picture,
 * or to null when `isWanted` no longer holds. Rows and columns are those of the square's upper left pixel.
 */
export async function occlusion(network, picture, digit, isWanted) {
  const places = [];
  const probability = (pixels) => softmax(logitsOf(network, inputOf(network, pixels)))[digit];
  let pause = performance.now() + SLICE;
  for (let row = 0; row <= SIDE - SQUARE; row += STEP) {
    for (let column = 0; column <= SIDE - SQUARE; column += STEP) {
      places.push({ row, column, after: probability(covered(picture, row, column)) });
      if (performance.now() < pause) continue;
      await new Promise((done) => setTimeout(done));
      if (!isWanted()) return null;
      pause = performance.now() + SLICE;
    }
  }
  return { before: probability(picture), places };
}

function covered(picture, row, column) {
  const pixels = picture.slice();
  for (let line = row; line < row + SQUARE; line++) pixels.fill(0, line * SIDE + column, line * SIDE + column + SQUARE);
  return pixels;
}

/** Return for each pixel how far the probability falls, on average over the squares that cover the pixel: 0..1. */
export function fallsOf({ before, places }) {
  const [falls, counts] = [new Float32Array(SIDE * SIDE), new Float32Array(SIDE * SIDE)];
  for (const { row, column, after } of places) {
    for (let n = 0; n < SQUARE * SQUARE; n++) {
      const place = (row + Math.floor(n / SQUARE)) * SIDE + column + (n % SQUARE);
      falls[place] += Math.max(before - after, 0);
      counts[place]++;
    }
  }
  return falls.map((fall, place) => fall / counts[place]);
}

/** Return where covering matters most: {where: in words, after: the probability that is left}. */
export function worstOf({ places }) {
  const { row, column, after } = places.reduce((worst, one) => (one.after < worst.after ? one : worst));
  const third = (first) => Math.min(2, Math.floor(((first + SQUARE / 2) * 3) / SIDE));
  return { where: PLACES[third(row)][third(column)], after };
}
