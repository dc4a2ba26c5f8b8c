/** A patch, the filter on it, and their products, as three squares of numbers: red is positive, blue is negative. */

import { signed } from "./paint.js";
import { text } from "./text.js";
import { inNumbers } from "./words.js";

const SCALES = text("Red is positive, blue negative. The scale under each square is the same at all places.");

/** What the colours of the squares mean. */
export const LEGEND = `<p class="origin-legend" aria-hidden="true">${SCALES}</p>`;

/** The elements that `showProducts` fills, found by their names `patch`, `filter` and `products`. */
export const PRODUCTS = `
  ${square("patch", text("patch"))}
  <span aria-hidden="true">×</span>
  ${square("filter", text("filter"))}
  <span aria-hidden="true">=</span>
  ${square("products", text("products"))}`;

function square(name, caption) {
  return `<figure aria-hidden="true"><div class="origin-grid origin-${name}"></div>
    <figcaption>${caption} <span class="origin-${name}-scale"></span></figcaption></figure>`;
}

/** Show an input of `origin`, which is that of `originOf` in stages.js; `find(name)` returns an element. */
export function showProducts(find, { size, inputs, largest }, input) {
  for (const name of ["patch", "filter", "products"]) {
    showGrid(find(name), inputs[input][name], size, Math.max(largest[name], 1e-6));
    find(`${name}-scale`).textContent = `±${short(largest[name])}`;
  }
}

function short(value) {
  return inNumbers(value, Math.abs(value) >= 10 ? 0 : 1);
}

/** Show numbers in a square, where `largest` has the strongest colour. */
function showGrid(grid, values, size, largest) {
  if (grid.childElementCount !== values.length) grid.replaceChildren(...values.map(() => document.createElement("span")));
  grid.style.setProperty("--origin-size", size);
  values.forEach((value, n) => {
    const cell = grid.children[n];
    cell.textContent = short(value);
    const [red, green, blue] = signed(Math.sign(value));
    cell.style.backgroundColor = `rgba(${red}, ${green}, ${blue}, ${(0.5 * Math.abs(value)) / largest})`;
  });
}

/** Return terms and descriptions for a list of steps, [name, sentence]. */
export function labelled(steps) {
  const element = (kind, textContent) => Object.assign(document.createElement(kind), { textContent });
  return steps.flatMap(([name, sentence]) => [element("dt", name), element("dd", sentence)]);
}
