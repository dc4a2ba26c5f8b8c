/** "Where a number comes from": the patch under the pointer, the filter, their products, and the steps to one number. */

import { labelled, LEGEND, PRODUCTS, showProducts } from "./products.js";
import { text } from "./text.js";
import { inNumbers, stepsOf } from "./words.js";

/**
 * Build the panel inside `element`. `choose({stage, channel, row, column})` is called when the visitor moves a slider.
 * Returns {setStages(stages), show(chosen, most, origin)}: stages are [{name, value}], and `most` has the largest numbers.
 */
export function createOrigin(element, choose) {
  element.innerHTML = BODY;
  const find = (name) => element.querySelector(`.origin-${name}`);
  const names = ["stage", "channel", "row", "column"];
  const controls = Object.fromEntries(names.map((name) => [name, find(name)]));
  const read = () => Object.fromEntries(names.map((name) => [name, Number(controls[name].value)]));
  for (const name of names) controls[name].addEventListener("input", () => choose(read()));
  return {
    setStages: (stages) => controls.stage.replaceChildren(...stages.map(({ name, value }) => new Option(name, value))),
    show: (chosen, most, origin) => {
      for (const name of names) {
        if (name !== "stage") controls[name].max = most[name];
        controls[name].value = chosen[name];
        if (name !== "stage") sayPlace(controls[name], `${chosen[name]}`, `${most[name]}`);
      }
      showSteps(find, origin);
    },
  };
}

/** Count from 0, as Python does. */
function sayPlace(slider, number, most) {
  slider.setAttribute("aria-valuetext", text("{number}, of 0 to {most}", { number, most }));
  slider.nextElementSibling.textContent = number;
}

function showSteps(find, origin) {
  const strongest = strongestOf(origin);
  const { sum } = origin.inputs[strongest];
  showProducts(find, origin, strongest);
  const shown = { number: strongest, sum: inNumbers(sum) };
  find("which").textContent =
    origin.inputs.length === 1 ? "" : text("Shown: input map {number}, whose products count most ({sum}).", shown);
  find("steps").replaceChildren(...labelled(stepsOf(origin)));
  find("value").textContent = inNumbers(Math.max(origin.value, 0));
}

/** Return the number of the input map whose products have the largest sum, with either sign. */
export function strongestOf({ inputs }) {
  const sizes = inputs.map(({ sum }) => Math.abs(sum));
  return sizes.indexOf(Math.max(...sizes));
}

const BODY = `
<p class="live-title">${text("Where one number comes from")}</p>
<div class="origin-controls">
  <label>${text("Layer")} <select class="origin-stage"></select></label>
  <label>${text("Map")} <input type="range" class="origin-channel" min="0" step="1"><output aria-hidden="true"></output></label>
  <label>${text("Row")} <input type="range" class="origin-row" min="0" step="1"><output aria-hidden="true"></output></label>
  <label>${text("Column")} <input type="range" class="origin-column" min="0" step="1"><output aria-hidden="true"></output></label>
</div>
${LEGEND}
<div class="origin-shown">
  ${PRODUCTS}
  <dl class="origin-steps"></dl>
  <p class="origin-result"><span class="origin-value"></span> ${text("in the map")}</p>
</div>
<p class="origin-which"></p>`;
