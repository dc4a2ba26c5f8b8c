/** The course's best network, run in the browser by ONNX Runtime. A page loads it once. */

export const LOADING = "The network is being loaded (about 4 MB) …";
export const FAILED = "The network could not be loaded; reload the page to try again.";

const here = (path) => new URL(path, import.meta.url).href;

let loading = null;
let last = Promise.resolve();

/** Load ONNX Runtime and the network, if that was not begun before. */
export function loadNetwork() {
  loading ??= load();
  return loading;
}

/** Use one thread: more need HTTP headers that simple servers do not send. */
async function load() {
  const ort = await import(here("./ort/ort.wasm.min.mjs"));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = here("./ort/");
  return { ort, session: await ort.InferenceSession.create(here("./models/digits.onnx")) };
}

/**
 * Return ten probabilities for each picture, Uint8Array(784). The network itself normalises the pictures. A session
 * runs once at a time, so a call waits for the one before it.
 */
export function predict(network, pictures) {
  const answer = last.then(() => run(network, pictures));
  last = answer.catch(() => null);
  return answer;
}

async function run({ ort, session }, pictures) {
  const values = new Uint8Array(pictures.flatMap((picture) => [...picture]));
  const images = new ort.Tensor("uint8", values, [pictures.length, 28, 28]);
  const { probabilities } = await session.run({ images });
  return pictures.map((_, n) => Array.from(probabilities.data.slice(10 * n, 10 * n + 10)));
}

/** Return the limits in mnist_helpers/predict.py for what counts as a digit: {threshold, widest, unreadable, least_sure}. */
export async function loadLimits() {
  const answer = await fetch(here("./models/digits.json"));
  return answer.json();
}
