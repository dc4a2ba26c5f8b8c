/** The way of a picture through the layers: what the network sees, the maps of each stage, and one number's origin. */

import { createOrigin, strongestOf } from "./origin.js";
import { frameOf, layFrame, paintMaps, paintNothing, paintPicture, sizeFor, tileAt } from "./paint.js";
import { originOf, outputOf, stagesOf } from "./stages.js";
import { text } from "./text.js";

/**
 * Build the stages inside `element` and the panel for a number's origin inside `panel`.
 * Returns {setNetwork(network), showPicture(picture), showMaps(maps), showFalls(picture, falls, sentence)}; null instead
 * of a picture or maps shows none.
 */
export function createFlow(element, panel) {
  const view = { element, network: null, maps: null, stages: [], chosen: null, pinned: null };
  const [pixels, label] = [text("28 × 28 pixels"), text("The prepared picture, 28 by 28 pixels")];
  view.seen = addStage(element, text("It sees"), pixels, label);
  const restsLabel = text("What the answer rests on, in orange");
  const rests = addStage(element, text("It rests on"), "", restsLabel, view.seen.figure);
  view.origin = createOrigin(panel, (chosen) => choose(view, chosen, true));
  const showPicture = (picture) => {
    paintPicture(view.seen.canvas, picture);
    if (picture === null) showFalls(null, null, "");
  };
  const showFalls = (picture, falls, sentence) => {
    paintPicture(rests.canvas, picture, falls);
    rests.caption.textContent = sentence;
  };
  const showMaps = (maps) => {
    view.maps = maps;
    view.stages.forEach((stage) => showStage(stage, maps));
    showOrigin(view);
  };
  showPicture(null);
  return { setNetwork: (network) => setNetwork(view, network), showPicture, showMaps, showFalls };
}

/** Show the stages of another network; the last one is the answer's ten numbers and is shown as bars elsewhere. */
function setNetwork(view, network) {
  view.stages.forEach(({ figure }) => figure.remove());
  [view.network, view.maps] = [network, null]; // until the maps of this network come
  view.stages = stagesOf(network).slice(0, -1).map((stage, n) => {
    const { kind, count } = stage;
    const size = kind === "conv" ? text("{count} maps", { count }) : text("{count} numbers", { count });
    const label = text("Layer {number}: {size}", { number: n + 1, size });
    const parts = addStage(view.element, text("Layer {number}", { number: n + 1 }), size, label);
    sizeFor(parts.canvas, stage.count);
    parts.figure.style.setProperty("--live-shape", parts.canvas.width / parts.canvas.height);
    if (stage.kind === "conv") letPointerChoose(view, parts.canvas, n);
    return { ...stage, ...parts };
  });
  const convolutions = view.stages.flatMap(({ kind }, n) => (kind === "conv" ? [{ name: `${n + 1}`, value: n }] : []));
  view.origin.setStages(convolutions);
  view.chosen = view.pinned = { stage: 0, channel: 0, row: 5, column: 6 };
}

function addStage(element, title, caption, label, within = element) {
  const figure = document.createElement("figure");
  figure.className = "live-stage";
  figure.innerHTML = STAGE;
  const [heading, canvas, small] = ["b", "canvas", "small"].map((name) => figure.querySelector(name));
  [heading.textContent, small.textContent] = [title, caption];
  canvas.setAttribute("aria-label", label);
  within.append(figure);
  return { figure, canvas, caption: small, frame: figure.querySelector(".live-frame") };
}

const STAGE = `<figcaption><b></b> <small></small></figcaption>
<div class="live-tiles"><canvas role="img"></canvas><span class="live-frame" hidden></span></div>`;

function showStage(stage, maps) {
  if (maps === null) paintNothing(stage.canvas);
  else paintMaps(stage.canvas, outputOf(stage, maps));
}

/** The place under the pointer is shown; a click keeps it. */
function letPointerChoose(view, canvas, n) {
  const placeOf = (event) => {
    if (view.maps === null) return null;
    const tile = tileAt(canvas, event, outputOf(view.stages[n], view.maps));
    return tile && { stage: n, ...tile };
  };
  canvas.addEventListener("pointermove", (event) => choose(view, placeOf(event), event.pointerType !== "mouse"));
  canvas.addEventListener("pointerdown", (event) => choose(view, placeOf(event), true));
  canvas.addEventListener("pointerleave", () => choose(view, view.pinned, false));
}

function choose(view, chosen, pin) {
  if (chosen === null) return;
  view.chosen = chosen;
  if (pin) view.pinned = chosen;
  showOrigin(view);
}

function showOrigin(view) {
  view.stages.forEach(({ frame }) => (frame.hidden = true));
  view.seen.frame.hidden = true;
  const stage = view.stages[view.chosen?.stage];
  if (!stage || view.maps === null) return;
  const { channels, height, width } = outputOf(stage, view.maps);
  const most = { channel: channels - 1, row: height - 1, column: width - 1 };
  const within = (name) => Math.min(view.chosen[name], most[name]);
  const chosen = { stage: view.chosen.stage, channel: within("channel"), row: within("row"), column: within("column") };
  const origin = originOf(view.network, view.maps, stage, chosen.channel, [chosen.row, chosen.column]);
  view.origin.show(chosen, most, origin);
  frameCell(stage, chosen.channel, [chosen.row, chosen.column], 1, outputOf(stage, view.maps));
  frameCell(view.stages[chosen.stage - 1] ?? view.seen, strongestOf(origin), origin.place, origin.size, view.maps[stage.first]);
}

/** Put the frame of a stage around `size` x `size` values of a map. */
function frameCell({ frame, canvas, count }, channel, place, size, grid) {
  layFrame(frame, place, size, grid, count && frameOf(canvas, channel, count));
  frame.hidden = false;
}
