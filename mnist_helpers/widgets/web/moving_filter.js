/**
 * A filter that is moved over a digit by hand: the patch under it, the products, their sum, and the map that grows.
 *
 * It is used in two places: docs/_static/chapter.js adds it to a web page, and the default export is an anywidget.
 */

import { createAnnouncer } from "./announce.js";
import { mapsOfImage } from "./layers.js";
import { layFrame, mixed, paintOne, signed } from "./paint.js";
import { labelled, LEGEND, PRODUCTS, showProducts } from "./products.js";
import { createSection } from "./section.js";
import { originOf, stagesOf } from "./stages.js";
import { text } from "./text.js";
import { inNumbers, sumOf } from "./words.js";

const START = [7, 5]; // row and column of the map: the upper left end of the bar of the first test image
const SLIDE_TIME = 5000; // ms for all places
const NOT_YET = [217, 217, 217]; // as in the figures of chapter 02
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * Build the view inside `element`. `state` is that of mnist_helpers/widgets/moving_filter.py: {height, width, image,
 * filters: [{name, size, weights, bias}]}, with lists of numbers as float32 in base64. Returns a function that removes
 * the view.
 */
export function createMovingFilter(element, state) {
  const image = { channels: 1, height: state.height, width: state.width, values: floatsOf(state.image) };
  const root = build(element, state.filters);
  const find = (name) => root.querySelector(`.moving-${name}, .origin-${name}`);
  const view = { root, find, image, filters: state.filters.map((one) => applied(one, image)), place: START, sliding: null };
  view.announce = createAnnouncer(find("status"));
  paintImage(find("digit"), image);
  root.querySelectorAll(".moving-choice canvas").forEach((canvas, n) => paintFilter(canvas, view.filters[n]));
  listen(view);
  choose(view, 0);
  return () => {
    stop(view);
    view.announce.hold();
    root.remove();
  };
}

function floatsOf(base64) {
  return new Float32Array(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer);
}

/** Return a filter as a network of one layer, with the maps that it makes of an image. */
function applied({ name, size, weights, bias }, image) {
  const layer = { kind: "conv", shape: [1, 1, size, size], weights: floatsOf(weights), bias: new Float32Array([bias]) };
  const network = { layers: [layer] };
  const maps = mapsOfImage(network, image);
  return { name, size, layer, network, maps, largest: strongest(maps[1].values) };
}

function listen(view) {
  const { root, find } = view;
  root.querySelectorAll(".moving-choice input").forEach((radio, n) => radio.addEventListener("change", () => choose(view, n)));
  followPointer(view, find("digit"), (across, down) => {
    const half = (view.filter.size - 1) / 2; // the pointer holds the filter in its middle
    return [down * view.image.height - half - 0.5, across * view.image.width - half - 0.5];
  });
  followPointer(view, find("map"), (across, down) => {
    const [, { height, width }] = view.filter.maps;
    return [down * height - 0.5, across * width - 0.5];
  });
  find("digit").addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    stop(view);
    moveTo(view, view.place.map((value, axis) => value + step[axis]));
  });
  find("slide").addEventListener("click", () => (view.sliding === null ? slide(view) : stop(view)));
  find("empty").addEventListener("click", () => choose(view, view.filters.indexOf(view.filter)));
}

/**
 * Move the filter to where the pointer is on a canvas; `placeOf` turns shares of its width and height into a place. While
 * the filter slides by itself, only a pressed pointer moves it.
 */
function followPointer(view, canvas, placeOf) {
  const follow = (event) => {
    if (view.sliding !== null && event.buttons === 0) return;
    const { left, top, width, height } = canvas.getBoundingClientRect();
    stop(view);
    moveTo(view, placeOf((event.clientX - left) / width, (event.clientY - top) / height));
  };
  canvas.addEventListener("pointermove", follow);
  canvas.addEventListener("pointerdown", follow);
}

/** Take another filter, or the same one, and begin its map anew. */
function choose(view, n) {
  stop(view);
  view.filter = view.filters[n];
  const [, { height, width }] = view.filter.maps;
  view.reached = new Uint8Array(height * width);
  view.place = within(view, view.place);
  visit(view, view.place);
  show(view);
}

/** Return the nearest place in the map, in whole numbers. */
function within({ filter }, [row, column]) {
  const [, { height, width }] = filter.maps;
  const nearest = (value, most) => Math.min(Math.max(Math.round(value), 0), most - 1);
  return [nearest(row, height), nearest(column, width)];
}

/** Move the filter to a place, over all places on the straight line to it. */
function moveTo(view, wanted) {
  const [from, to] = [view.place, within(view, wanted)];
  const steps = Math.max(...to.map((value, axis) => Math.abs(value - from[axis])));
  for (let step = 1; step <= steps; step++) {
    visit(view, from.map((value, axis) => Math.round(value + ((to[axis] - value) * step) / steps)));
  }
  view.place = to;
  show(view);
}

function visit({ reached, filter }, [row, column]) {
  reached[row * filter.maps[1].width + column] = 1;
}

/** Slide the filter over all places, row by row, or fill the map at once if the visitor wants no motion. */
function slide(view) {
  const { reached, find } = view;
  const { width } = view.filter.maps[1];
  const upTo = (count) => {
    reached.fill(1, 0, count);
    view.place = [Math.floor((count - 1) / width), (count - 1) % width];
    show(view);
  };
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return upTo(reached.length);
  const began = performance.now();
  const step = () => {
    const share = Math.min(1, (performance.now() - began) / SLIDE_TIME);
    upTo(Math.max(1, Math.ceil(share * reached.length)));
    if (share < 1) view.sliding = requestAnimationFrame(step);
    else stop(view);
  };
  find("slide").textContent = text("Stop");
  view.sliding = requestAnimationFrame(step);
}

function stop(view) {
  if (view.sliding !== null) cancelAnimationFrame(view.sliding);
  view.sliding = null;
  view.find("slide").textContent = text("Slide over all places");
}

function show(view) {
  const { find, filter, place, reached, image } = view;
  const [, map] = filter.maps;
  const origin = originOf(filter.network, filter.maps, stagesOf(filter.network)[0], 0, place);
  showProducts(find, origin, 0);
  find("steps").replaceChildren(...labelled(origin.bias === 0 ? sumOf(origin).slice(0, 1) : sumOf(origin)));
  find("value").textContent = inNumbers(origin.total);
  paintOne(find("map"), map.height, map.width, (n) => (reached[n] ? signed(map.values[n] / filter.largest) : NOT_YET));
  layFrame(find("digit").nextElementSibling, place, filter.size, image);
  layFrame(find("map").nextElementSibling, place, 1, map);
  const [row, column] = place;
  view.announce.later(text("Row {row}, column {column}: {value}", { row, column, value: inNumbers(origin.total) }));
}

/** Return the largest absolute value of some numbers, but no zero to divide by. */
function strongest(values) {
  return Math.max(1e-6, values.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
}

function paintImage(canvas, { height, width, values }) {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  paintOne(canvas, height, width, (n) => mixed([0, 0, 0], [255, 255, 255], (values[n] - low) / Math.max(high - low, 1e-6)));
}

function paintFilter(canvas, { size, layer: { weights } }) {
  const largest = strongest(weights);
  paintOne(canvas, size, size, (n) => signed(weights[n] / largest));
}

function build(element, filters) {
  const root = createSection(element, "live moving", text("A filter that you move over a digit"), BODY);
  const name = `moving-${Math.random().toString(36).slice(2)}`;
  root.querySelector(".moving-choice div").innerHTML = filters.map((_, n) => choiceMarkup(name, n)).join("");
  root.querySelectorAll(".moving-choice span").forEach((span, n) => (span.textContent = filters[n].name));
  return root;
}

function choiceMarkup(group, n) {
  return `<label><input type="radio" name="${group}" ${n === 0 ? "checked" : ""}>
    <canvas aria-hidden="true"></canvas><span></span></label>`;
}

const MAP_LABEL = text(
  "The feature map so far: red where sums are positive, blue where they are negative, grey where the filter has not been yet",
);

const BODY = `
<fieldset class="moving-choice"><legend>${text("Filter")}</legend><div></div></fieldset>
<div class="moving-board">
  <figure>
    <figcaption>${text("Move the filter over the digit")}</figcaption>
    <div class="moving-paper">
      <canvas class="moving-digit" tabindex="0" role="application"
        aria-label="${text("The digit. Move the filter over it with the pointer or the arrow keys.")}"></canvas>
      <span class="live-frame"></span>
    </div>
  </figure>
  <figure>
    <figcaption>${text("Its feature map so far")}</figcaption>
    <div class="moving-paper">
      <canvas class="moving-map" role="img" aria-label="${MAP_LABEL}"></canvas>
      <span class="live-frame"></span>
    </div>
  </figure>
  <p class="origin-result"><span class="origin-value"></span> ${text("in the map")}</p>
</div>
<div class="live-tools">
  <button type="button" class="moving-slide">${text("Slide over all places")}</button>
  <button type="button" class="moving-empty">${text("Empty the map")}</button>
</div>
${LEGEND}
<div class="origin-shown">
  ${PRODUCTS}
  <dl class="origin-steps"></dl>
</div>
<p class="live-status moving-status" role="status"></p>`;

export default {
  render: ({ model, el }) => createMovingFilter(el, model.get("state")),
};
