/** What is said about a drawing, for eyes and for screen readers. */

import { text } from "./text.js";

const NBSP = "\u00a0";
export const LOADING = text("The network is being loaded …");
export const FAILED = text("The network could not be loaded; reload the page to try again.");
export const NOTHING = text("Nothing is drawn yet.");
const NO_DIGIT = text("This is no digit yet: draw on.");
const TWO = text("Two digits? Clear the pad and draw one.");

/** Return a probability in words: its per cent, and never 0 or 100. */
export function inPercent(probability) {
  if (probability > 0.995) return text("over {share}", { share: `99${NBSP}%` });
  if (probability < 0.005) return text("under {share}", { share: `1${NBSP}%` });
  return `${Math.round(100 * probability)}${NBSP}%`;
}

/** Return a probability as `inPercent` does, in a few characters. */
export function inShort(probability) {
  if (probability > 0.995) return `>99${NBSP}%`;
  return probability < 0.005 ? `<1${NBSP}%` : inPercent(probability);
}

/** Return {large: one or two characters, sentence} for the digits in a drawing; a single one has `probabilities`. */
export function answerFor(digits) {
  if (digits.length === 0) return { large: "–", sentence: NO_DIGIT };
  if (digits.length > 1) return { large: "?", sentence: several(digits.length) };
  const two = [...digits[0].probabilities.entries()].sort((a, b) => b[1] - a[1]).slice(0, 2);
  const [[first, second], [sure, less]] = [two.map(([digit]) => digit), two.map(([, share]) => inPercent(share))];
  if (two[0][1] > 0.6) return { large: `${first}`, sentence: text("I read {first}, {sure} sure.", { first, sure }) };
  return { large: `${first}?`, sentence: text("{first} ({sure}) or {second} ({less})?", { first, sure, second, less }) };
}

function several(count) {
  return count === 2 ? TWO : text("{count} digits? Clear the pad and draw one.", { count });
}

/** Return a number with a minus sign and the decimals that fit. */
export function inNumbers(value, decimals = 2) {
  return value.toFixed(decimals).replace("-", "−").replace(/^−(0\.0*)$/, "$1");
}

/** Return the number that a text of `inNumbers` stands for. */
function rounded(shown) {
  return Number(shown.replace("−", "-"));
}

function plus(value) {
  return `${value < 0 ? "−" : "+"} ${inNumbers(Math.abs(value))}`;
}

/** Return a sentence for the sum of the products, and one for the bias; `origin` is that of `originOf` in stages.js. */
export function sumOf({ size, inputs, bias, total }) {
  const added = inNumbers(inputs.reduce((all, { sum }) => all + sum, 0));
  const values = { count: size * size * inputs.length, maps: inputs.length, sum: added };
  const sentence =
    inputs.length === 1
      ? text("{count} products add up to {sum}.", values)
      : text("{count} products from {maps} maps add up to {sum}.", values);
  const exact = inNumbers(rounded(added) + rounded(inNumbers(bias))) === inNumbers(total);
  return [[text("Sum"), sentence], [text("Bias"), `${added} ${plus(bias)} ${exact ? "=" : "≈"} ${inNumbers(total)}`]];
}

/** Return a sentence for each step from patches to one number of a map; `origin` is that of `originOf` in stages.js. */
export function stepsOf(origin) {
  const { total, pooled, scale, value } = origin;
  const steps = sumOf(origin);
  if (pooled.length > 1) {
    const values = { total: inNumbers(total), all: pooled.map((one) => inNumbers(one)).join(", ") };
    steps.push([text("Pooling"), text("{total} is the largest of {all}.", values)]);
  }
  if (scale !== null) {
    const [shown, factor, shift] = [total, ...scale].map((one) => inNumbers(one));
    const scaled = inNumbers(scale[0] * total + scale[1]);
    const exact = inNumbers(rounded(shown) * rounded(factor) + rounded(shift)) === scaled;
    steps.push([text("Batch norm"), `${shown} × ${factor} ${plus(scale[1])} ${exact ? "=" : "≈"} ${scaled}`]);
  }
  const positive = text("{value} is positive and stays.", { value: inNumbers(value) });
  return [...steps, [text("ReLU"), value > 0 ? positive : text("What is negative becomes 0.")]];
}
