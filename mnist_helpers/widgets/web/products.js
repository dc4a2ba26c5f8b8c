/** A patch, the filter on it, and their products, as three squares of numbers: red is positive, blue is negative. */

import { signed } from "./paint.js";
import { text } from "./text.js";
import { inNumbers } from "./words.js";

/** The elements that `showProducts` fills, found by their names `patch`, `filter` and `products`. */
export const PRODUCTS = `
  <figure aria-hidden="true"><div class="origin-grid origin-patch"></div><figcaption>${text("patch")}</figcaption></figure>
  <span aria-hidden="true">×</span>
  <figure aria-hidden="true"><div class="origin-grid origin-filter"></div><figcaption>${text("filter")}</figcaption></figure>
  <span aria-hidden="true">=</span>
  <figure aria-hidden="true"><div class="origin-grid origin-products"></div><figcaption>${text("products")}</figcaption></figure>`;

/** Show an input of `originOf` in stages.js; `find(name)` returns an element, and `size` is the filter's side. */
export function showProducts(find, { patch, filter, products }, size) {
  Object.entries({ patch, filter, products }).forEach(([name, values]) => showGrid(find(name), values, size));
}

/** Show numbers in a square. */
function showGrid(grid, values, size) {
  const largest = Math.max(1e-6, ...values.map(Math.abs));
  if (grid.childElementCount !== values.length) grid.replaceChildren(...values.map(() => document.createElement("span")));
  grid.style.setProperty("--origin-size", size);
  values.forEach((value, n) => {
    const cell = grid.children[n];
    cell.textContent = inNumbers(value, Math.abs(value) >= 10 ? 0 : 1);
    const [red, green, blue] = signed(Math.sign(value));
    cell.style.backgroundColor = `rgba(${red}, ${green}, ${blue}, ${(0.5 * Math.abs(value)) / largest})`;
  });
}

/** Return terms and descriptions for a list of steps, [name, sentence]. */
export function labelled(steps) {
  const element = (kind, textContent) => Object.assign(document.createElement(kind), { textContent });
  return steps.flatMap(([name, sentence]) => [element("dt", name), element("dd", sentence)]);
}
