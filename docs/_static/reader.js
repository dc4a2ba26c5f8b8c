/** "Read a picture" on the page "Draw a digit": the network reads the digits in a picture of the visitor. */

import { loadLimits, loadNetwork, predict } from "./network.js";
import { paintPicture } from "./paint.js";
import { openPicture } from "./photo.js";
import { findDigits, lieSideways, spaces } from "./segment.js";
import { FAILED, inPercent, LOADING } from "./words.js";

const NOTHING = "No digit was found in this picture. Write with a dark pen on light paper, and leave a margin.";
const NO_DIGIT = "This picture shows something, but no digit that the network is sure of.";
const SIDEWAYS = "This picture seems to lie on its side; turn it so that the digits are upright.";
const BROKEN = "This picture could not be read; try another one.";
const READING = "The picture is being read …";
const [SURE, UNSURE] = ["#0072b2", "#b34f00"]; // of boxes; white numbers are legible on both

function start(element) {
  const parts = build(element);
  let latest = 0; // only the picture that was given last is shown
  const take = async (file) => {
    if (!file) return;
    const mine = ++latest;
    const show = (result) => mine === latest && showResult(parts, result);
    show({ sentence: LOADING });
    try {
      show(await resultFor(file, (sentence) => show({ sentence })));
    } catch (error) {
      console.error(error);
      show({ sentence: BROKEN });
    }
  };
  listen(parts, take);
}

/** Return what there is to show for a file: {sentence}, and the picture, its digits and the number if it was read. */
async function resultFor(file, say) {
  const loaded = await Promise.all([loadNetwork(), loadLimits()]).catch(() => null);
  if (loaded === null) return { sentence: FAILED };
  const [network, limits] = loaded;
  say(READING);
  await new Promise((painted) => setTimeout(painted, 20));
  const picture = await openPicture(file).catch(() => null);
  if (picture === null) {
    return { sentence: `${file.name} is no picture that this browser can open; choose a PNG or JPEG file.` };
  }
  const found = findDigits(picture.grey, picture.height, picture.width);
  if (!found.length) return { picture, digits: [], sentence: NOTHING };
  const rows = await predict(network, found.map((digit) => digit.picture));
  const digits = found.map((digit, n) => judged(digit, rows[n], limits));
  return { picture, digits, ...summary(digits, limits) };
}

/** Add the answer to a digit, as `Reader.digits` in mnist_helpers/predict.py does. */
function judged(digit, probabilities, { threshold, widest }) {
  const [[first, confidence], [second]] = [...probabilities.entries()].sort((one, other) => other[1] - one[1]);
  const [, , height, width] = digit.box;
  const sure = confidence >= threshold && width <= widest * height;
  return { ...digit, confidence, sure, said: sure ? String(first) : "?", doubt: `${first} or ${second}` };
}

/** Return {number, sentence}; the number is left out if nothing in the picture is surely a digit. */
function summary(digits, limits) {
  const boxes = digits.map((digit) => digit.box);
  const number = spaces(boxes).map((space, n) => space + digits[n].said).join("");
  const lowest = Math.min(...digits.map((digit) => digit.confidence));
  const unsure = digits.filter((digit) => !digit.sure);
  if (unsure.length && lieSideways(boxes)) return { sentence: SIDEWAYS };
  if (isNoNumber(digits, limits)) return { sentence: NO_DIGIT };
  if (unsure.length) return { number, sentence: `unsure: ${unsure.map((digit) => digit.doubt).join(", ")}` };
  if (digits.length === 1) return { number, sentence: `one digit, ${inPercent(lowest)} sure` };
  const least = lowest > 0.995 ? "" : "at least ";
  return { number, sentence: `${digits.length} digits, each ${least}${inPercent(lowest)} sure` };
}

/** Return whether the network is sure of too little to take these shapes for digits. */
function isNoNumber(digits, { unreadable, least_sure }) {
  if (digits.length === 1) return !digits[0].sure && digits[0].confidence < unreadable;
  return digits.filter((digit) => digit.sure).length < least_sure * digits.length;
}

/** Take pictures from the two buttons, from the clipboard, and from what is dropped on the page. */
function listen({ root, choose, photograph, file, camera }, take) {
  for (const [button, input] of [[choose, file], [photograph, camera]]) {
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      take(input.files[0]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  document.addEventListener("paste", (event) => take(event.clipboardData.files[0]));
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      root.classList.toggle("reader-target", kind === "dragover");
      if (kind === "drop") take(event.dataTransfer.files[0]);
    });
  }
}

function showResult({ number: large, sentence: line, shown, picture: canvas, digits: list }, result) {
  const { number, sentence, picture, digits } = result;
  large.textContent = number ?? "";
  line.textContent = sentence;
  shown.hidden = !picture;
  if (!picture) return;
  shown.classList.toggle("reader-wide", picture.width > 1.6 * picture.height);
  drawPicture(canvas, picture.canvas, digits);
  canvas.setAttribute("aria-label", describe(digits));
  list.replaceChildren(...digits.map((digit, n) => listItem(picture.canvas, digit, n + 1)));
}

function describe(digits) {
  if (!digits.length) return "Your picture, in which no digit was found";
  return `Your picture with numbered boxes around ${digits.length === 1 ? "one digit" : `${digits.length} digits`}`;
}

/** Draw the picture with a numbered box around each digit, dashed if it is not sure. Small pictures are enlarged. */
function drawPicture(canvas, source, digits) {
  const scale = Math.ceil(400 / Math.max(source.width, source.height));
  Object.assign(canvas, { width: source.width * scale, height: source.height * scale });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  const letters = Math.max(canvas.width, canvas.height) / 24;
  Object.assign(context, { lineWidth: letters / 7, font: `bold ${letters}px sans-serif`, textBaseline: "top" });
  digits.forEach(({ box, sure }, n) => drawBox(context, box.map((length) => length * scale), n + 1, letters, sure));
}

function drawBox(context, [top, left, height, width], number, letters, sure) {
  const margin = letters / 4;
  context.strokeStyle = context.fillStyle = sure ? SURE : UNSURE;
  context.setLineDash(sure ? [] : [letters / 2, letters / 4]);
  context.strokeRect(left - margin, top - margin, width + 2 * margin, height + 2 * margin);
  const corner = [Math.max(0, left - margin), Math.max(0, top - margin - 1.2 * letters)];
  context.fillRect(...corner, context.measureText(number).width + letters / 2, 1.2 * letters);
  context.fillStyle = "#fff";
  context.fillText(number, corner[0] + letters / 4, corner[1] + letters / 8);
}

/** Return a list item: the digit in the picture, what the network saw, and its answer. */
function listItem(source, { box, picture, sure, said, doubt, confidence }, number) {
  const item = document.createElement("li");
  item.className = sure ? "reader-digit" : "reader-digit reader-unsure";
  item.innerHTML = ITEM;
  const find = (name) => item.querySelector(`.reader-${name}`);
  find("count").textContent = number;
  crop(find("crop"), source, box);
  paintPicture(find("seen"), picture);
  find("crop").setAttribute("aria-label", `Digit ${number} in your picture`);
  find("seen").setAttribute("aria-label", `What the network sees of digit ${number}, 28 by 28 pixels`);
  find("said").textContent = said;
  find("sure").textContent = sure ? `${inPercent(confidence)} sure` : `${doubt}, ${inPercent(confidence)}`;
  return item;
}

/** Show a digit's box with a margin, in a square. */
function crop(canvas, source, [top, left, height, width]) {
  const side = Math.ceil(1.3 * Math.max(height, width));
  const corner = [left + (width - side) / 2, top + (height - side) / 2].map(Math.round);
  Object.assign(canvas, { width: side, height: side });
  canvas.getContext("2d").drawImage(source, ...corner, side, side, 0, 0, side, side);
}

/** Add the elements to `element` and return those that change. */
function build(element) {
  element.innerHTML = BODY;
  const names = ["choose", "photograph", "file", "camera", "number", "sentence", "shown", "picture", "digits"];
  const parts = names.map((name) => [name, element.querySelector(`.reader-${name}`)]);
  return { root: element, ...Object.fromEntries(parts) };
}

const BODY = `
<div class="reader-tools">
  <button type="button" class="reader-choose">Choose a picture</button>
  <button type="button" class="reader-photograph">Take a photo</button>
  <p class="reader-hint">or drop it on this page, or paste it</p>
</div>
<input type="file" class="reader-file" accept="image/*" hidden>
<input type="file" class="reader-camera" accept="image/*" capture="environment" hidden>
<p class="reader-note">The picture stays in your browser: nothing is sent.</p>
<div role="status">
  <p class="reader-number"></p>
  <p class="reader-sentence"></p>
</div>
<div class="reader-shown" hidden>
  <canvas class="reader-picture" role="img"></canvas>
  <ol class="reader-digits" role="list" aria-label="The digits, in reading order"></ol>
</div>`;

const ITEM = `
<span class="reader-count"></span>
<canvas class="reader-crop" role="img"></canvas>
<span aria-hidden="true">→</span>
<canvas class="reader-seen" width="28" height="28" role="img"></canvas>
<span class="reader-answer"><span class="reader-said"></span> <span class="reader-sure"></span></span>`;

start(document.getElementById("read-picture"));
