// What all pages do besides showing text: tables that scroll can be reached with the keyboard, and code is not in its way.

import { explainTerms } from "./terms.js";

function letTheKeyboardReach() {
  for (const table of document.querySelectorAll(".bd-article table")) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
  }
}

// A chapter has forty of these buttons; the code of all is behind the page's download button, too
function letTheKeyboardPass() {
  for (const button of document.querySelectorAll(".cell_input .copybtn")) button.tabIndex = -1;
}

addEventListener("load", letTheKeyboardReach);
addEventListener("resize", letTheKeyboardReach);
addEventListener("load", letTheKeyboardPass);
explainTerms();
