/** The pad of the page "Draw a digit", whose drawings the network reads. */

import { FAILED, LOADING, loadNetwork, predict } from "./network.js";
import { createPad } from "./pad.js";
import { prepare } from "./prepare.js";

async function read(network, ink) {
  const prepared = prepare(ink);
  if (prepared === null) return null;
  const [probabilities] = await predict(network, [prepared.picture]);
  return { ...prepared, probabilities };
}

function showMessage(element, sentence) {
  const note = document.createElement("p");
  note.setAttribute("role", "status");
  note.textContent = sentence;
  element.replaceChildren(note);
}

async function start(element) {
  showMessage(element, LOADING);
  try {
    const network = await loadNetwork();
    element.replaceChildren();
    createPad(element, (ink) => read(network, ink));
  } catch (error) {
    console.error(error);
    showMessage(element, FAILED);
  }
}

start(document.getElementById("draw-pad"));
