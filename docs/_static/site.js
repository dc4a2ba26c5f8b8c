// Make tables that scroll horizontally focusable, so that they can be scrolled with the keyboard.

function letTheKeyboardReach() {
  for (const table of document.querySelectorAll(".bd-article table")) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
  }
}

addEventListener("load", letTheKeyboardReach);
addEventListener("resize", letTheKeyboardReach);
