/** The networks of the course, loaded once each. layers.js runs them. */

import { buildNetwork, fromHalves, probabilitiesOf } from "./layers.js";

const here = (path) => new URL(path, import.meta.url).href;
const loading = {};

/** Load a network if that was not begun before: "digits", the course's best, or "report_net", the report's. */
export function loadNetwork(name = "digits") {
  loading[name] ??= load(name).catch((error) => {
    delete loading[name]; // the next call tries again
    throw error;
  });
  return loading[name];
}

async function load(name) {
  const [description, weights] = await Promise.all([found(`${name}.layers.json`), found(`${name}.bin`)]);
  return buildNetwork(await description.json(), fromHalves(await weights.arrayBuffer()));
}

async function found(name) {
  const answer = await fetch(here(`./models/${name}`));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

/** Resolve to ten probabilities for each picture, Uint8Array(784). */
export async function predict(network, pictures) {
  return pictures.map((picture) => probabilitiesOf(network, picture));
}

/** Return the limits in mnist_helpers/predict.py for what counts as a digit: {threshold, widest, unreadable, least_sure}. */
export async function loadLimits() {
  return (await found("digits.json")).json();
}
