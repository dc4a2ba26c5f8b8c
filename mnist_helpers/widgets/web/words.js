/** What is said about a drawing, for eyes and for screen readers. */

const NBSP = "\u00a0";
export const LOADING = "The network is being loaded …";
export const FAILED = "The network could not be loaded; reload the page to try again.";
export const NOTHING = "Nothing is drawn yet.";
const NO_DIGIT = "This is no digit yet: draw on.";
const ONE_AT_A_TIME = "digits? Clear the pad and draw one.";

/** Return a probability in words: its per cent, and never 0 or 100. */
export function inPercent(probability) {
  if (probability > 0.995) return `over 99${NBSP}%`;
  if (probability < 0.005) return `under 1${NBSP}%`;
  return `${Math.round(100 * probability)}${NBSP}%`;
}

/** Return a probability as `inPercent` does, in a few characters. */
export function inShort(probability) {
  return inPercent(probability).replace("over ", ">").replace("under ", "<");
}

/** Return {large: one or two characters, sentence} for the digits in a drawing; a single one has `probabilities`. */
export function answerFor(digits) {
  if (digits.length === 0) return { large: "–", sentence: NO_DIGIT };
  if (digits.length > 1) return { large: "?", sentence: `${digits.length === 2 ? "Two" : digits.length} ${ONE_AT_A_TIME}` };
  const [[first, sure], [second, less]] = [...digits[0].probabilities.entries()].sort((a, b) => b[1] - a[1]);
  if (sure > 0.6) return { large: `${first}`, sentence: `I read ${first}, ${inPercent(sure)} sure.` };
  return { large: `${first}?`, sentence: `${first} (${inPercent(sure)}) or ${second} (${inPercent(less)})?` };
}

/** Return a number with a minus sign and the decimals that fit. */
export function inNumbers(value, decimals = 2) {
  return value.toFixed(decimals).replace("-", "−").replace(/^−(0\.0*)$/, "$1");
}

/** Return the number that a text of `inNumbers` stands for. */
function rounded(text) {
  return Number(text.replace("−", "-"));
}

function plus(value) {
  return `${value < 0 ? "−" : "+"} ${inNumbers(Math.abs(value))}`;
}

/** Return a sentence for the sum of the products, and one for the bias; `origin` is that of `originOf` in stages.js. */
export function sumOf({ size, inputs, bias, total }) {
  const added = inNumbers(inputs.reduce((all, { sum }) => all + sum, 0));
  const from = inputs.length === 1 ? "" : ` from ${inputs.length} maps`;
  const sum = ["Sum", `${size * size * inputs.length} products${from} add up to ${added}.`];
  const exact = inNumbers(rounded(added) + rounded(inNumbers(bias))) === inNumbers(total);
  return [sum, ["Bias", `${added} ${plus(bias)} ${exact ? "=" : "≈"} ${inNumbers(total)}`]];
}

/** Return a sentence for each step from patches to one number of a map; `origin` is that of `originOf` in stages.js. */
export function stepsOf(origin) {
  const { total, pooled, scale, value } = origin;
  const steps = sumOf(origin);
  if (pooled.length > 1) {
    steps.push(["Pooling", `${inNumbers(total)} is the largest of ${pooled.map((one) => inNumbers(one)).join(", ")}.`]);
  }
  if (scale !== null) {
    const scaled = inNumbers(scale[0] * total + scale[1]);
    steps.push(["Batch norm", `${inNumbers(total)} × ${inNumbers(scale[0])} ${plus(scale[1])} = ${scaled}`]);
  }
  const kept = value > 0 ? `${inNumbers(value)} is positive and stays.` : "What is negative becomes 0.";
  return [...steps, ["ReLU", kept]];
}
