/**
 * Find the handwritten digits in a picture of paper: the steps of mnist_helpers/segment.py in JavaScript, with the same
 * results. Functions have the same names as there, where the steps are explained.
 *
 * A grid is {height, width, values}, in row-major order. A mask is a grid whose values are 0 or 1. A box is
 * [top, left, height, width] in pixels.
 */

import * as ndimage from "./ndimage.js";
import { centred, roundHalfEven } from "./prepare.js";

export const MIN_CONTRAST = 20; // between ink and paper, in grey values
const WINDOWS = [0.15, 0.3, 0.6]; // shares of the shorter side
const MAX_INK = 0.45;
const MAX_DIGITS = 60;
const DOT = 0.65;
const FRAGMENT = 0.6;
const STACKED = 0.05;
const SPECK = 0.2;
const APART = 1.25; // heights of a digit
const SIDEWAYS = [1.1, 1.2]; // digits in a column, or in a row
const STROKE = [0.12, 0.16]; // the thinnest and the widest stroke, as shares of the digit's longer side

/**
 * Return the digits in a picture of handwriting on paper, in reading order, prepared like MNIST: a list of
 * {box, picture: Uint8Array(784), centre: [row, column] of the ink's centre of mass}. `grey` holds height*width grey
 * values 0..255.
 */
export function findDigits(grey, height, width) {
  return find(grey, height, width).map(prepared);
}

/**
 * Return the digits in a drawing of light ink on a black canvas, as findDigits does: none for an empty canvas or a dot,
 * and several if several are drawn. `ink` holds height*width grey values, 0 for the canvas and 255 for ink.
 */
export function digitsOfDrawing(ink, height, width) {
  return findDrawn(ink, height, width).map(prepared);
}

function prepared(part) {
  const picture = centred(ndimage.mapped(evenStrokes(part.ink), Number, Float32Array));
  return { box: part.box, picture, centre: centreOf(part) };
}

/** Return the digits as {box, ink: a mask of the size of the box}, in reading order. */
export function find(grey, height, width) {
  const given = ndimage.gridOf(height, width, grey);
  const dark = isLightOnDark(given) ? ndimage.mapped(given, (value) => 255 - value) : given;
  const ink = inkOfWriting(ndimage.uniformFilter(dark, 3));
  return count(ink) / ink.values.length > MAX_INK ? [] : partsOf(ink);
}

/** Return the digits drawn in light ink on a black canvas, as `find` does. */
export function findDrawn(drawing, height, width) {
  const ink = ndimage.mapped(ndimage.gridOf(height, width, drawing), (value) => value >= 128);
  return partsOf(ink, true);
}

/** Group a mask of ink into digits in reading order. Ink at the border counts only with `toBorder`. */
function partsOf(ink, toBorder = false) {
  const { labels, count: components } = ndimage.label(ink);
  const boxes = ndimage.boxesOf(labels, components);
  const groups = grouped(writing(labels, boxes, toBorder), boxes);
  const parts = groups.map((numbers) => partOf(labels, numbers, boxes)).filter((part) => !isDot(part.ink));
  return parts.length <= MAX_DIGITS ? inReadingOrder(parts) : [];
}

/** Return whether a shape fills the square around it. */
function isDot(ink) {
  return count(ink) > DOT * Math.max(ink.height, ink.width) ** 2;
}

/** Return the centre of mass of a part's ink, [row, column]; the centre of the first pixel is 0.5. */
function centreOf({ box: [top, left], ink: { width, values } }) {
  const [total, down, right] = values.reduce(
    ([sum, rows, columns], inside, place) =>
      inside ? [sum + 1, rows + Math.floor(place / width), columns + (place % width)] : [sum, rows, columns],
    [0, 0, 0],
  );
  return [top + down / total + 0.5, left + right / total + 0.5];
}

function count(mask) {
  return mask.values.reduce((sum, value) => sum + value, 0);
}

/** Return whether the writing is lighter than the paper: compare the extremes of coarse blocks with the paper there. */
function isLightOnDark(grey) {
  const { darkest, lightest, mean } = blocksOf(grey, Math.max(1, roundHalfEven(shorter(grey) / 24)));
  const paper = ndimage.medianFilter(mean, 15).values;
  let difference = 0;
  for (let block = 0; block < paper.length; block++) {
    const [darker, lighter] = [paper[block] - darkest[block], lightest[block] - paper[block]];
    if (darker > MIN_CONTRAST) difference -= darker;
    if (lighter > MIN_CONTRAST) difference += lighter;
  }
  return difference > 0;
}

function shorter({ height, width }) {
  return Math.min(height, width);
}

/** Return the darkest, the lightest and the mean value of each block of side*side pixels. */
function blocksOf({ height, width, values }, side) {
  const [rows, columns] = [height, width].map((length) => Math.floor(length / side));
  const [darkest, lightest, sums] = [255, 0, 0].map((start) => new Float64Array(rows * columns).fill(start));
  for (let row = 0; row < rows * side; row++) {
    for (let column = 0; column < columns * side; column++) {
      const block = Math.floor(row / side) * columns + Math.floor(column / side);
      const value = values[row * width + column];
      if (value < darkest[block]) darkest[block] = value;
      if (value > lightest[block]) lightest[block] = value;
      sums[block] += value;
    }
  }
  const mean = ndimage.gridOf(rows, columns, sums.map((sum) => sum / side ** 2));
  return { darkest, lightest, mean };
}

/** Return which pixels of dark writing on paper are ink (a mask), without ruled lines. */
function inkOfWriting(grey) {
  const darkness = darknessOf(grey);
  const least = Math.max(MIN_CONTRAST / 2, levelsOf(darkness).noise);
  const lines = ruledLines(ndimage.mapped(darkness, (value) => value >= least));
  const ink = inkOf(ndimage.mapped(darkness, (value, place) => (lines.values[place] ? 0 : value)));
  if (!lines.values.includes(1)) return ink;
  const bridges = bridged(ink).values;
  return ndimage.mapped(ink, (value, place) => value | (lines.values[place] & bridges[place]));
}

/** Return how much darker than the paper around it each pixel is, with the first window that is wider than strokes. */
function darknessOf(grey) {
  let paper = null;
  for (const share of WINDOWS) {
    paper = paperOf(grey, Math.max(3, roundHalfEven(share * shorter(grey))));
    if (!hidesStrokes(paper, grey)) break;
  }
  return ndimage.mapped(paper, (value, place) => value - grey.values[place]);
}

/** Return the brightness of the paper at each pixel: a grey closing with this window. */
function paperOf(grey, window) {
  const square = (rows) => (grid) => ndimage.downColumns(rows(grid, window), (turned) => rows(turned, window));
  const [lighter, darker] = [ndimage.maximaInRows, ndimage.minimaInRows].map(square);
  return darker(lighter(ndimage.paddedByEdge(grey, window - 1)));
}

/** Return whether strokes wider than the window were taken for paper: it is dark in a place inside the picture. */
function hidesStrokes(paper, grey) {
  const [lightest, darkest] = [[paper, Math.max], [grey, Math.min]].map(([grid, choose]) =>
    grid.values.reduce((one, other) => choose(one, other)),
  );
  const dark = ndimage.mapped(ndimage.everyNth(paper, 4), (value) => value < (lightest + darkest) / 2);
  const { labels, count: components } = ndimage.label(dark);
  const isInside = ([, , height, width]) => height < dark.height && width < dark.width;
  return ndimage.boxesOf(labels, components).some(isInside);
}

/** Return three levels of darkness: of paper, of its grain (noise), and of the darkest 1 of 4,000 pixels (strong). */
function levelsOf({ values }) {
  const rising = new Float64Array(256);
  for (const value of values) rising[value]++;
  for (let value = 1; value < 256; value++) rising[value] += rising[value - 1];
  const shares = [0.1, 0.5, 1 - 1 / 4000];
  const [least, paper, strong] = shares.map((share) => rising.findIndex((sum) => sum >= share * values.length));
  return { paper, noise: paper + 5 * (paper - least), strong };
}

/** Return which pixels are ink: connected pixels that may be ink, if at least three of them surely are. */
function inkOf(darkness) {
  const { paper, noise, strong } = levelsOf(darkness);
  const [sure, possible] = [
    [MIN_CONTRAST, 0.4],
    [MIN_CONTRAST / 2, 0.22],
  ].map(([least, share]) => Math.max(least, noise, paper + share * (strong - paper)));
  const { labels, count: components } = ndimage.label(ndimage.mapped(darkness, (value) => value >= possible));
  const found = new Uint32Array(components + 1);
  for (let place = 0; place < darkness.values.length; place++) {
    if (darkness.values[place] >= sure) found[labels.values[place]]++;
  }
  return ndimage.mapped(labels, (number) => number > 0 && found[number] >= 3);
}

/** Return which pixels of a mask belong to thin, straight lines across the sheet. */
function ruledLines(marks) {
  const upright = ndimage.downColumns(marks, levelLines).values;
  return ndimage.mapped(levelLines(marks), (value, place) => value | upright[place]);
}

/** Return the pixels of horizontal lines; they may slope by a few pixels. */
function levelLines(marks) {
  const lines = taller(opened(taller(marks), Math.max(3, Math.floor(marks.width / 5))));
  if (!lines.values.includes(1)) return lines;
  const { labels, count: components } = ndimage.label(lines);
  const across = ndimage.boxesOf(labels, components).map(([, , , width]) => width >= 0.7 * marks.width);
  const broad = ndimage.downColumns(lines, (turned) => opened(turned, lineHeight(marks) + 5)).values;
  const isLine = (number, place) => number > 0 && across[number - 1] && marks.values[place] && !broad[place];
  return ndimage.mapped(labels, isLine);
}

/** Return the largest height of a ruled line in pixels. */
function lineHeight(marks) {
  return Math.max(3, Math.floor(shorter(marks) / 80));
}

/** Add the pixels above and below each pixel of a mask. */
function taller(mask) {
  const { width, values } = mask;
  return ndimage.mapped(mask, (value, place) => value | values[place - width] | values[place + width]);
}

/** Keep only runs of at least `length` pixels along rows (a binary opening). */
function opened(mask, length) {
  const wide = ndimage.padded(mask, length - 1, 0);
  return ndimage.maximaInRows(ndimage.minimaInRows(wide, length), length);
}

/** Close the gaps of fewer than `length` pixels along rows (a binary closing). */
function closed(mask, length) {
  const wide = ndimage.padded(mask, length - 1, 0);
  return ndimage.minimaInRows(ndimage.maximaInRows(wide, length), length);
}

/** Close the gaps that a removed line leaves in strokes. */
function bridged(ink) {
  const gap = lineHeight(ink) + 7; // what is removed is some pixels higher than the line
  const upright = ndimage.downColumns(ink, (turned) => closed(turned, gap)).values;
  return ndimage.mapped(closed(ink, gap), (value, place) => value | upright[place]);
}

/**
 * Return the numbers (from 0) of the components that may be writing: no specks, and nothing at the border. If all lies
 * at the border, a large component may be a digit that fills the picture. With `toBorder`, the border does not matter.
 */
function writing(labels, boxes, toBorder) {
  const areas = new Uint32Array(boxes.length + 1);
  for (const number of labels.values) areas[number]++;
  const longer = (number) => Math.max(boxes[number][2], boxes[number][3]);
  const numbers = [...boxes.keys()];
  let inside = numbers.filter((number) => toBorder || !atBorder(boxes[number], labels));
  if (!inside.length) inside = numbers.filter((number) => longer(number) >= 0.4 * shorter(labels));
  const largest = largestOf(inside.map(longer));
  return inside.filter((number) => longer(number) >= SPECK * largest && areas[number + 1] >= 8);
}

function largestOf(numbers) {
  return numbers.reduce((largest, number) => Math.max(largest, number), 0);
}

function atBorder([top, left, height, width], picture) {
  return top === 0 || left === 0 || top + height === picture.height || left + width === picture.width;
}

/** Group components into digits: a piece of a digit joins what is nearest to it. */
function grouped(numbers, boxes) {
  const tallest = largestOf(numbers.map((number) => boxes[number][2]));
  let waiting = byHeight(numbers.map((number) => ({ members: [number], box: boxes[number] })));
  let done = [];
  while (waiting.length) {
    const group = waiting.shift();
    const near = nearest(group.box, [...waiting, ...done].filter((other) => isPiece(group.box, other.box, tallest)));
    if (near === null) {
      done.push(group);
    } else {
      const joined = { members: [...near.members, ...group.members], box: together(group.box, near.box) };
      waiting = byHeight([...waiting.filter((other) => other !== near), joined]);
      done = done.filter((other) => other !== near);
    }
  }
  return done.filter(({ box }) => box[2] >= 0.35 * tallest).map(({ members }) => members);
}

function byHeight(groups) {
  return groups.sort((one, other) => one.box[2] - other.box[2]);
}

/** Return whether a box holds a piece of the digit in another box. */
function isPiece(box, other, tallest) {
  const height = together(box, other)[2];
  if (box[2] < FRAGMENT * tallest) return gap(box, other) <= 0.2 * tallest && height <= 1.7 * tallest;
  const [down, right] = distances(box, other);
  const beside = -right < 0.5 * Math.min(box[3], other[3]);
  return down <= STACKED * tallest && !beside && height <= 2.1 * tallest;
}

/** Return the first of the nearest groups, or null if there are none. */
function nearest(box, groups) {
  return groups.reduce((best, other) => (best && gap(box, best.box) <= gap(box, other.box) ? best : other), null);
}

/** Return the box around two boxes. */
function together(one, other) {
  const [top, left] = [0, 1].map((axis) => Math.min(one[axis], other[axis]));
  const [bottom, right] = [0, 1].map((axis) => Math.max(one[axis] + one[axis + 2], other[axis] + other[axis + 2]));
  return [top, left, bottom - top, right - left];
}

/** Return the distance in pixels between two boxes, 0 if they overlap. */
function gap(one, other) {
  const [down, right] = distances(one, other).map((distance) => Math.max(distance, 0));
  return Math.sqrt(down * down + right * right);
}

/** Return the distances down and to the right between two boxes, below 0 if they overlap. */
function distances(one, other) {
  return [0, 1].map(
    (axis) => Math.max(one[axis], other[axis]) - Math.min(one[axis] + one[axis + 2], other[axis] + other[axis + 2]),
  );
}

/** Cut out the components of one digit. */
function partOf(labels, numbers, boxes) {
  const box = numbers.map((number) => boxes[number]).reduce(together);
  const members = new Set(numbers.map((number) => number + 1));
  return { box, ink: ndimage.mapped(ndimage.cropped(labels, box), (number) => members.has(number)) };
}

/** Order parts in lines from top to bottom, and in a line from left to right. */
function inReadingOrder(parts) {
  const lines = [];
  for (const part of [...parts].sort((one, other) => middle(one.box) - middle(other.box))) {
    const last = lines.at(-1)?.at(-1).box;
    if (last && !liesBelow(part.box, last)) lines.at(-1).push(part);
    else lines.push([part]);
  }
  return lines.flatMap((line) => line.sort((one, other) => one.box[1] - other.box[1]));
}

/** Return the row in the middle of a box. */
function middle([top, , height]) {
  return top + height / 2;
}

/** Return whether a box lies in a line below another one. */
function liesBelow(box, other) {
  return middle(box) >= other[0] + other[2];
}

/** Return what to write before each digit in reading order: a space where a new number begins, otherwise nothing. */
export function spaces(boxes) {
  return boxes.map((box, n) => (n > 0 && beginsNumber(box, boxes[n - 1]) ? " " : ""));
}

/** Return whether a digit begins a new number, by its box and the box of the digit before it. */
function beginsNumber(box, before) {
  const gap = box[1] - (before[1] + before[3]);
  const isNewLine = box[1] < before[1] || liesBelow(box, before);
  return isNewLine || gap > APART * Math.max(box[2], before[2]);
}

/** Return whether two or more digits lie on their side, as far as their boxes tell: most are wider than high. */
export function lieSideways(boxes) {
  if (boxes.length < 2) return false;
  const [down, right] = [0, 1].map((axis) => {
    const middles = boxes.map((box) => box[axis] + box[axis + 2] / 2);
    return Math.max(...middles) - Math.min(...middles);
  });
  const logarithms = boxes.map(([, , height, width]) => Math.log(width / height));
  const mean = logarithms.reduce((sum, logarithm) => sum + logarithm, 0) / boxes.length;
  return Math.exp(mean) > SIDEWAYS[down > right ? 0 : 1];
}

/** Widen strokes that are too thin for MNIST, and narrow those that are too wide; return a mask of the new size. */
function evenStrokes(ink) {
  const wide = ndimage.padded(ink, 1);
  const inside = ndimage.mapped(ndimage.squaredDistances(wide), Math.sqrt, Float64Array);
  const distances = inside.values.filter((distance) => distance > 0).sort();
  const width = 4 * (distances.reduce((sum, distance) => sum + distance, 0) / distances.length - 0.5);
  const [thinnest, widest] = STROKE.map((share) => share * Math.max(ink.height, ink.width));
  if (width < thinnest) return cutOut(grown(wide, (thinnest - width) / 2));
  if (width <= widest) return cutOut(wide);
  const cut = Math.min((width - widest) / 2, quantile(distances, 0.9) - 1);
  return cutOut(ndimage.mapped(inside, (distance) => distance > cut));
}

/** Return the smallest rectangle of a mask that holds all ink. */
function cutOut(mask) {
  return ndimage.cropped(mask, ndimage.boxesOf(mask, 1)[0]);
}

/** Add the pixels that are at most `growth` pixels away from the edge of a mask. */
function grown(mask, growth) {
  const paper = ndimage.mapped(ndimage.padded(mask, Math.trunc(growth) + 1), (ink) => 1 - ink);
  return ndimage.mapped(ndimage.squaredDistances(paper), (squared) => Math.sqrt(squared) <= growth + 0.5);
}

/** Return a quantile of sorted values, with linear interpolation as in NumPy. */
export function quantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  const part = place - Math.floor(place);
  return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
}
