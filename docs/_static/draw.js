/** The page "Draw a digit": the pad with the course's best network, run in the browser by ONNX Runtime. */

import { createPad } from "./pad.js";
import { prepare } from "./prepare.js";

const LOADING = "The network is being loaded (about 4 MB) …";
const FAILED = "The network could not be loaded; reload the page to try again.";

const here = (path) => new URL(path, import.meta.url).href;

/** Load ONNX Runtime and the network, with one thread: more need HTTP headers that simple servers do not send. */
async function loadNetwork() {
  const ort = await import(here("./ort/ort.wasm.min.mjs"));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = here("./ort/");
  return { ort, session: await ort.InferenceSession.create(here("./models/digits.onnx")) };
}

/** Return the ten probabilities for a picture, Uint8Array(784). The network itself normalises the picture. */
async function predict({ ort, session }, picture) {
  const images = new ort.Tensor("uint8", picture, [1, 28, 28]);
  const { probabilities } = await session.run({ images });
  return Array.from(probabilities.data);
}

async function read(network, ink) {
  const prepared = prepare(ink);
  if (prepared === null) return null;
  return { ...prepared, probabilities: await predict(network, prepared.picture) };
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
