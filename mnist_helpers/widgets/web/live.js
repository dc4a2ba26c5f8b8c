/**
 * The network at work: a pad, the maps of each layer while one draws, the answer, and what it rests on.
 *
 * `mount` is used by the pages (draw.js), and needs nothing else of a page than live.css.
 */

import { createAnswer } from "./answer.js";
import { createFlow } from "./flow.js";
import { mapsOf, probabilitiesOf } from "./layers.js";
import { fragmentOf, strokesIn } from "./link.js";
import { fallsOf, occlusion, worstOf } from "./occlusion.js";
import { createPaper, PAPER_SIDE } from "./paper.js";
import { sample } from "./samples.js";
import { createSection } from "./section.js";
import { digitsOfDrawing } from "./segment.js";
import { text } from "./text.js";
import { answerFor, FAILED, inPercent, NOTHING } from "./words.js";

const REST = 350; // ms without a change before the occlusion begins
const DRAWING_TIME = 500; // ms in which an example is drawn

/**
 * Build the view inside `element`. `network` is a network of layers.js or a promise of one. Options:
 * choices: [{label, load}], networks to choose from, the first of which is `network`; example: the digit that is shown
 * first; link: whether the page's URL may hold a drawing. Returns a function that removes the view.
 */
export function mount(element, network, { choices = [], example = null, link = false } = {}) {
  const parts = assemble(build(element, choices));
  const { state, paper, changed } = parts;
  listen(parts, choices, link);
  state.placeholder = !(link && openLink(paper)) && example !== null;
  if (state.placeholder) paper.show(sample(example));
  changed();
  use(parts, network);
  return () => remove(parts);
}

/** Return the parts of the view, which know what is drawn. */
function assemble(root) {
  const find = (name) => root.querySelector(`.live-${name}`);
  const state = { alive: true, network: null, asked: 0, version: 0, placeholder: false, drawing: null, timer: null };
  const parts = { root, find, state, changed: onFrame(() => state.alive && update(parts)) };
  parts.answer = createAnswer(find("answer"));
  parts.flow = createFlow(find("flow"), find("origin"));
  parts.paper = createPaper(find("canvas"), parts.changed);
  return parts;
}

function remove({ root, state }) {
  state.alive = false;
  state.version++;
  clearTimeout(state.timer);
  root.remove();
}

/** Show another network as soon as it is there, unless a later one was asked for meanwhile. */
async function use({ state, flow, answer, changed }, promise) {
  const mine = ++state.asked;
  const network = await Promise.resolve(promise).catch((error) => {
    console.error(error);
    return null;
  });
  if (mine !== state.asked || !state.alive) return;
  clearTimeout(state.timer);
  state.network = network; // if there is none, an earlier one must not answer in its name
  if (network !== null) flow.setNetwork(network);
  else showFailure(flow, answer);
  changed();
}

function showFailure(flow, answer) {
  flow.showMaps(null);
  flow.showFalls(null, null, "");
  answer.say({ large: "!", sentence: FAILED }, null);
}

/** Return a function that calls `act` once in the next frame. */
function onFrame(act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      act();
    });
  };
}

/** Read the drawing, and show everything that follows from it. */
function update({ root, state, answer, flow, paper }) {
  const { network } = state;
  const mine = ++state.version;
  clearTimeout(state.timer);
  const empty = paper.strokes().length === 0;
  root.classList.toggle("live-empty", empty);
  const digits = empty ? [] : digitsOfDrawing(paper.ink(), PAPER_SIDE, PAPER_SIDE);
  const single = digits.length === 1 ? digits[0] : null;
  flow.showPicture(single?.picture ?? null);
  if (network === null) return;
  if (single) single.probabilities = probabilitiesOf(network, single.picture);
  answer.say(empty ? { large: "", sentence: NOTHING } : answerFor(digits), single?.probabilities ?? null);
  flow.showMaps(single && mapsOf(network, single.picture));
  if (single) state.timer = setTimeout(() => explain(single, () => state.version === mine, state, flow), REST);
}

/** Show what the answer rests on. */
async function explain({ picture, probabilities }, isWanted, { network }, flow) {
  const digit = probabilities.indexOf(Math.max(...probabilities));
  const found = await occlusion(network, picture, digit, isWanted);
  if (found === null) return;
  const { where, after } = worstOf(found);
  const share = inPercent(after);
  flow.showFalls(picture, fallsOf(found), text("Cover it {where}, and the {digit} falls to {share}.", { where, digit, share }));
}

function listen(parts, choices, link) {
  const { root, find, state, paper } = parts;
  const act = (change) => () => {
    state.placeholder = false;
    state.drawing = null;
    change();
  };
  const [undo, clear] = [act(() => paper.undo()), act(() => paper.clear())];
  find("canvas").addEventListener("pointerdown", act(() => undefined), { capture: true });
  find("paper").addEventListener("pointerdown", () => state.placeholder && paper.clear(), { capture: true });
  find("undo").addEventListener("click", undo);
  find("clear").addEventListener("click", clear);
  for (const button of root.querySelectorAll(".live-sample")) {
    button.addEventListener("click", () => drawExample(parts, Number(button.textContent)));
  }
  root.addEventListener("keydown", (event) => onKey(event, parts, { undo, clear }));
  root.querySelectorAll(".live-choice input").forEach((radio, n) => {
    radio.addEventListener("change", () => use(parts, choices[n].load()));
  });
  find("link").hidden = !link;
  find("link").addEventListener("click", () => copyLink(parts));
  if (link) addEventListener("hashchange", () => state.alive && openLink(paper));
}

function onKey(event, parts, { undo, clear }) {
  if (event.target.matches("input, select") || event.altKey || event.metaKey) return;
  const undoes = event.key === "Backspace" || (event.ctrlKey && event.key === "z");
  if (undoes) undo();
  else if (event.ctrlKey) return;
  else if (["Escape", "Delete"].includes(event.key)) clear();
  else if (/^\d$/.test(event.key)) drawExample(parts, Number(event.key));
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Draw an example, point by point unless the visitor wants no motion. */
function drawExample({ state, paper }, digit) {
  const strokes = sample(digit);
  const mine = (state.drawing = {});
  state.placeholder = false;
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return paper.show(strokes);
  const began = performance.now();
  const step = () => {
    if (state.drawing !== mine || !state.alive) return;
    const share = Math.min(1, (performance.now() - began) / DRAWING_TIME);
    paper.show(beginningOf(strokes, share));
    if (share < 1) requestAnimationFrame(step);
  };
  step();
}

/** Return the first `share` of the points of all strokes. */
function beginningOf(strokes, share) {
  const total = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  let left = Math.max(1, Math.round(share * total));
  return strokes.flatMap((stroke) => {
    const part = stroke.slice(0, Math.max(0, left));
    left -= stroke.length;
    return part.length ? [part] : [];
  });
}

/** Put the drawing into the page's address and the address into the clipboard. */
async function copyLink({ paper, find }) {
  if (!paper.strokes().length) return;
  history.replaceState(null, "", fragmentOf(paper.strokes(), PAPER_SIDE));
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  const said = copied ? text("Copied") : text("In the address bar");
  find("linked").textContent = said;
  setTimeout(() => (find("linked").textContent = ""), 4000);
}

function openLink(paper) {
  const strokes = strokesIn(location.hash, PAPER_SIDE);
  if (strokes !== null) paper.show(strokes);
  return strokes !== null;
}

function build(element, choices) {
  const root = createSection(element, "live", text("A network reads what you draw"), BODY);
  const name = `live-network-${Math.random().toString(36).slice(2)}`;
  const radio = ({ label }, n) =>
    `<label><input type="radio" name="${name}" ${n === 0 ? "checked" : ""}> <span>${label}</span></label>`;
  root.querySelector(".live-choice div").innerHTML = choices.map(radio).join("");
  root.querySelector(".live-choice").hidden = choices.length < 2;
  return root;
}

const SAMPLES = Array.from({ length: 10 }, (_, digit) => {
  return `<button type="button" class="live-sample" aria-label="${text("Example {digit}", { digit })}">${digit}</button>`;
}).join("");

const PAD_LABEL = text(
  "Drawing pad: draw one digit with mouse, finger or pen, or press a key from 0 to 9 for an example.",
);
const KEYS_LABEL = text("Backspace takes back a stroke, Escape clears the pad.");

const BODY = `
<fieldset class="live-choice"><legend>${text("Network")}</legend><div></div></fieldset>
<div class="live-board">
  <div class="live-draw">
    <p class="live-title">${text("You draw")}</p>
    <div class="live-paper">
      <canvas class="live-canvas" width="${PAPER_SIDE}" height="${PAPER_SIDE}" tabindex="0" role="application"
        aria-label="${PAD_LABEL} ${KEYS_LABEL}"></canvas>
      <p class="live-hint" aria-hidden="true">${text("Draw a digit here")}</p>
    </div>
    <div class="live-tools">
      <button type="button" class="live-undo">${text("Undo")}</button>
      <button type="button" class="live-clear">${text("Clear")}</button>
      <button type="button" class="live-link">${text("Copy link")}</button>
      <span class="live-linked" role="status"></span>
    </div>
    <p class="live-examples" aria-hidden="true">${text("Examples:")}</p>
    <div class="live-samples" role="group" aria-label="${text("Examples")}">${SAMPLES}</div>
  </div>
  <div class="live-flow"></div>
  <div class="live-answer"></div>
</div>
<div class="live-origin"></div>`;
