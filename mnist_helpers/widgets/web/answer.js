/** The answer of a network: a large digit, a sentence, ten bars, and the same words for screen readers. */

import { createAnnouncer } from "./announce.js";
import { text } from "./text.js";
import { inShort } from "./words.js";

/** Build the answer inside `element`. Returns {say({large, sentence}, probabilities or null)}. */
export function createAnswer(element) {
  element.innerHTML = BODY;
  const find = (name) => element.querySelector(`.live-${name}`);
  const bars = [...element.querySelectorAll(".live-bar")];
  const announce = createAnnouncer(find("status"));
  const say = ({ large, sentence }, probabilities) => {
    find("large").textContent = large;
    find("sentence").textContent = sentence;
    const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
    bars.forEach((bar, digit) => showBar(bar, probabilities?.[digit] ?? null, digit === best));
    announce.later(sentence);
  };
  return { say };
}

function showBar(bar, probability, best) {
  bar.dataset.probability = probability ?? 0;
  bar.classList.toggle("live-best", best);
  bar.querySelector(".live-fill").style.transform = `scaleX(${probability ?? 0})`;
  bar.querySelector(".live-value").textContent = probability === null ? "" : inShort(probability);
}

const BARS = Array.from({ length: 10 }, (_, digit) => {
  return `<li class="live-bar" data-digit="${digit}"><span>${digit}</span>
    <span class="live-track" aria-hidden="true"><span class="live-fill"></span></span><span class="live-value"></span></li>`;
}).join("");

const BODY = `
<p class="live-title">${text("It answers")}</p>
<div class="live-verdict"><p class="live-large" aria-hidden="true"></p>
<p class="live-sentence" aria-hidden="true"></p></div>
<p class="live-status" role="status"></p>
<ul class="live-bars" role="list" aria-label="${text("Probability of each digit")}">${BARS}</ul>`;
