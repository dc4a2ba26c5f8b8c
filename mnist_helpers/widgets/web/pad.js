/**
 * A drawing pad for digits, which shows the drawing, the prepared 28x28 picture and ten probabilities.
 *
 * It is used in two places: docs/_static/chapter.js adds it to a web page, and the default export is an anywidget.
 */

import { createAnnouncer } from "./announce.js";
import { paintPicture } from "./paint.js";
import { createPaper, PAPER_SIDE as SIDE } from "./paper.js";
import { text } from "./text.js";
import { inPercent, NOTHING } from "./words.js";

const PICTURE = 28;
const FRAME = 20; // side of the square into which digits are fitted, as in MNIST
const PATIENCE = 10_000; // ms to wait for an answer
const SVG = "http://www.w3.org/2000/svg";
const NBSP = "\u00a0";

const NO_DIGIT = text("This is no digit yet; draw on, or clear the pad.");
const TWO = text("Two digits? Clear the pad and draw one, or join its parts.");
const FAILED = text("No answer came for this drawing; draw on or clear the pad to try again.");

/**
 * Build a pad inside `element`.
 *
 * `answer(ink)` takes 280*280 grey values (Uint8Array, 0 paper, 255 ink). It resolves to a list of the digits, each
 * {picture: Uint8Array(784), probabilities: ten numbers, box: [top, left, height, width] and centre: [row, column] of
 * the ink}. If it rejects with an error that has a property `sentence`, the pad shows that text. Option: `patience`, the
 * time limit in ms. Returns a function that removes the pad.
 */
export function createPad(element, answer, { patience = PATIENCE } = {}) {
  const parts = build(element);
  const paper = createPaper(parts.canvas, () => paper.strokes().length && hearInk(parts, announce, asker));
  const announce = createAnnouncer(parts.status);
  const say = (digits, sentence) => {
    showAnswer(parts, digits, sentence);
    announce.later(sentence);
  };
  const asker = latestOnly(
    () => withPatience(answer(paper.ink()), patience),
    (digits) => say(digits, sentenceFor(digits)),
    (error) => say([], error?.sentence ?? FAILED),
  );
  const clear = () => {
    paper.clear();
    asker.forget();
    say([], NOTHING);
  };
  parts.clear.addEventListener("click", clear);
  parts.canvas.addEventListener("keydown", (event) => onKey(event, clear));
  clear();
  return () => remove(parts.root, asker, announce);
}

function hearInk({ root }, announce, asker) {
  root.classList.remove("pad-empty");
  announce.hold();
  asker.ask();
}

function remove(root, asker, announce) {
  asker.forget();
  announce.hold();
  root.remove();
}

function onKey(event, clear) {
  if (!["Escape", "Delete", "Backspace"].includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  clear();
}

/** Run one request at a time, and one more if `ask` was called meanwhile. `forget` discards pending answers. */
function latestOnly(answer, show, fail) {
  let [era, awaited, again] = [0, false, false];
  const askOnce = async () => {
    const asked = era;
    try {
      const result = await answer();
      if (asked === era) show(result);
    } catch (error) {
      if (asked === era) fail(error);
    }
  };
  const ask = async () => {
    again = true;
    if (awaited) return;
    awaited = true;
    while (again) {
      again = false;
      await askOnce();
    }
    awaited = false;
  };
  const forget = () => ([era, again] = [era + 1, false]);
  return { ask, forget };
}

/** Return the value of the promise, or reject after `patience` ms, so that the pad is not blocked. */
function withPatience(promise, patience) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, patience, new Error("no answer in time"));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function sentenceFor(digits) {
  if (digits.length === 0) return NO_DIGIT;
  const count = digits.length;
  if (count === 2) return TWO;
  if (count > 2) return text("{count} digits? Clear the pad and draw one, or join its parts.", { count });
  const two = [...digits[0].probabilities.entries()].sort((a, b) => b[1] - a[1]).slice(0, 2);
  const [first, second] = two.map(([digit]) => named(digit));
  const [sure, less] = two.map(([, probability]) => inPercent(probability));
  if (two[0][1] > 0.6) return text("This looks like {first}, {sure} sure.", { first, sure });
  return text("This may be {first} ({sure}) or {second} ({less}).", { first, sure, second, less });
}

function named(digit) {
  return `${digit === 8 ? text("an") : text("a")}${NBSP}${digit}`;
}

/** Show the digits of a drawing and a sentence; probabilities and picture are those of a single digit. */
function showAnswer(parts, digits, sentence) {
  const single = digits.length === 1 ? digits[0] : null;
  const probabilities = single?.probabilities ?? Array(10).fill(0);
  const best = single === null ? -1 : probabilities.indexOf(Math.max(...probabilities));
  parts.bars.forEach((bar, digit) => showBar(bar, probabilities[digit], digit === best));
  parts.root.classList.toggle("pad-empty", sentence === NOTHING);
  parts.verdict.textContent = sentence;
  paintPicture(parts.picture, single?.picture ?? new Uint8Array(PICTURE * PICTURE));
  parts.explanation.textContent = single === null ? "" : explanation(single);
  parts.overlay.replaceChildren(...digits.flatMap(({ box, centre }) => [boxAround(box), ...cross(centre, 16)]));
  parts.marks.replaceChildren(frame(), ...(single === null ? [] : marksOf(single.picture)));
}

function showBar(bar, probability, best) {
  bar.dataset.probability = probability;
  bar.classList.toggle("pad-best", best);
  bar.querySelector(".pad-fill").style.width = `${100 * probability}%`;
  const value = probability > 0.9995 ? ">99.9" : (100 * probability).toFixed(1); // 100.0 would look like certainty
  bar.querySelector(".pad-value").textContent = `${value}${NBSP}%`;
}

function explanation({ box: [, , height, width], picture }) {
  const [, , fittedHeight, fittedWidth] = boxOf(picture);
  const before = `${width}${NBSP}×${NBSP}${height}`;
  const after = `${fittedWidth}${NBSP}×${NBSP}${fittedHeight}`;
  return text(
    "Your strokes, {before} pixels, were made as wide as those of MNIST, fitted into {after} and moved so that their centre of mass lies in the middle.",
    { before, after },
  );
}

/** Return the marks of a picture: the box of the ink and its centre of mass. */
function marksOf(picture) {
  return [boxAround(boxOf(picture)), ...cross(centreOfMass(picture), 1.6)];
}

/** Return the box of the ink in a picture, [top, left, height, width]. */
function boxOf(picture) {
  const places = [...picture.keys()].filter((place) => picture[place] > 0);
  const [rows, columns] = [places.map((place) => Math.floor(place / PICTURE)), places.map((place) => place % PICTURE)];
  const [top, left] = [Math.min(...rows), Math.min(...columns)];
  return [top, left, Math.max(...rows) - top + 1, Math.max(...columns) - left + 1];
}

/** Return [row, column] in pixels of the picture; the centre of the first pixel is at 0.5. */
function centreOfMass(picture) {
  const [total, down, right] = picture.reduce(
    ([sum, rows, columns], grey, place) => {
      const [row, column] = [Math.floor(place / PICTURE), place % PICTURE];
      return [sum + grey, rows + grey * (row + 0.5), columns + grey * (column + 0.5)];
    },
    [0, 0, 0],
  );
  return [down / total, right / total];
}

function boxAround([top, left, height, width]) {
  return svg("rect", { x: left, y: top, width, height, class: "pad-box" });
}

/** Return the frame into which digits are fitted. */
function frame() {
  const corner = (PICTURE - FRAME) / 2;
  return svg("rect", { x: corner, y: corner, width: FRAME, height: FRAME, class: "pad-frame" });
}

/** Return a cross with an outline, which is visible on ink and on paper. */
function cross([row, column], arm) {
  const d = `M${column - arm} ${row}H${column + arm}M${column} ${row - arm}V${row + arm}`;
  return ["pad-rim", "pad-mass"].map((name) => svg("path", { d, class: name }));
}

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** Add the elements of the pad to `element` and return those that change. */
function build(element) {
  const root = document.createElement("div");
  root.className = "pad";
  root.innerHTML = BODY;
  root.querySelector(".pad-bars").innerHTML = [...Array(10).keys()].map(barMarkup).join("");
  element.append(root);
  const find = (name) => root.querySelector(`.pad-${name}`);
  const names = ["canvas", "overlay", "picture", "marks", "verdict", "status", "explanation", "clear"];
  return { root, bars: [...root.querySelectorAll(".pad-bar")], ...Object.fromEntries(names.map((n) => [n, find(n)])) };
}

function barMarkup(digit) {
  return `<li class="pad-bar" data-digit="${digit}"><span class="pad-digit">${digit}</span>
    <span class="pad-track" aria-hidden="true"><span class="pad-fill"></span></span>
    <span class="pad-value"></span></li>`;
}

const CAPTION = text("Light ink on black, as in MNIST: the network has seen nothing else.");
const PAD_LABEL = text("Drawing pad: draw one digit with mouse, finger or pen. Escape or Delete clears it.");

const BODY = `
<div class="pad-views">
  <div class="pad-draws">
    <p class="pad-title">${text("You draw")}</p>
    <div class="pad-paper">
      <canvas class="pad-canvas" width="${SIDE}" height="${SIDE}" tabindex="0" role="application"
        aria-label="${PAD_LABEL}"
        data-lm-suppress-shortcuts="true"></canvas>
      <svg class="pad-overlay" viewBox="0 0 ${SIDE} ${SIDE}" aria-hidden="true"></svg>
      <p class="pad-hint" aria-hidden="true">${text("Draw a digit here")}</p>
    </div>
    <div class="pad-tools">
      <button type="button" class="pad-clear">${text("Clear")}</button>
      <p class="pad-note">${text("or")} <kbd>Esc</kbd>, <kbd>Delete</kbd></p>
    </div>
  </div>
  <div class="pad-answers">
    <p class="pad-title">${text("It answers")}</p>
    <p class="pad-verdict" aria-hidden="true"></p>
    <p class="pad-status" role="status"></p>
    <ul class="pad-bars" role="list" aria-label="${text("Probability of each digit")}"></ul>
  </div>
  <div class="pad-sees">
    <p class="pad-title">${text("The network sees")}</p>
    <div class="pad-paper">
      <canvas class="pad-picture" width="${PICTURE}" height="${PICTURE}" role="img"
        aria-label="${text("The prepared picture, 28 by 28 pixels, light ink on black")}"></canvas>
      <svg class="pad-marks" viewBox="0 0 ${PICTURE} ${PICTURE}" aria-hidden="true"></svg>
    </div>
    <ul class="pad-key" role="list" aria-label="${text("Marks in both pictures")}">
      <li>${sign('<rect x="1" y="2" width="12" height="10" class="pad-box"/>')} ${text("box of the ink")}</li>
      <li>${sign('<path d="M1 7H13M7 1V13" class="pad-mass"/>')} ${text("centre of mass")}</li>
      <li>${sign('<rect x="1" y="1" width="12" height="12" class="pad-frame"/>')} ${text("middle 20 × 20")}</li>
    </ul>
  </div>
</div>
<p class="pad-note pad-explanation"></p>
<p class="pad-note pad-caption">${CAPTION}</p>`;

function sign(shape) {
  return `<svg viewBox="0 0 14 14" aria-hidden="true">${shape}</svg>`;
}

/** The widget: `answer` sends a message with an id to Python and waits for the answer with the same id. */
export default {
  render({ model, el }) {
    const waiting = new Map();
    const view = Math.random(); // several views of a widget receive every answer
    let number = 0;
    const hear = (content, buffers) => {
      waiting.get(content.id)?.(content, buffers);
      waiting.delete(content.id);
    };
    const answer = (ink) =>
      new Promise((resolve, reject) => {
        const id = `${view}:${++number}`;
        waiting.set(id, (content, buffers) => settle(content, buffers, resolve, reject));
        model.send({ id }, undefined, [ink.buffer]);
      });
    model.on("msg:custom", hear);
    const removePad = createPad(el, answer);
    return () => {
      model.off("msg:custom", hear);
      removePad();
    };
  },
};

/** Resolve or reject with the answer from Python: {sentence} is an error; {digits} come with a picture each. */
function settle({ sentence, digits }, pictures, resolve, reject) {
  if (sentence) reject({ sentence });
  else resolve(digits.map((digit, n) => ({ ...digit, picture: bytesOf(pictures[n]) })));
}

function bytesOf({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
