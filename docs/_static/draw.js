/** The live pad of the pages: the report's network, whose few maps can be followed, or the course's best. */

import { mount } from "./live.js";
import { loadNetwork } from "./network.js";

const CHOICES = [
  { label: "of chapter 04", load: () => loadNetwork("report_net") },
  { label: "the course's best", load: () => loadNetwork("digits") },
];

for (const element of document.querySelectorAll(".live-pad")) {
  mount(element, CHOICES[0].load(), { choices: CHOICES, example: 7, link: true });
}
