// A table that is wider than a phone scrolls by itself; the keyboard must be able to reach it.

function letTheKeyboardReach() {
  for (const table of document.querySelectorAll(".bd-article table")) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
  }
}

addEventListener("load", letTheKeyboardReach);
addEventListener("resize", letTheKeyboardReach);
