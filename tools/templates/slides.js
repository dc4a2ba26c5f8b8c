// Keys, clickers and swipes go one step on: to the rest of a slide that is longer than the window, to the answer to a
// question, or to the next slide. The slides are those of divide_slides.js; the first of each step has the id of its cell.

function number(slide, index, { length }) {
  slide.querySelector(".count").textContent = `${index + 1} / ${length}`;
  slide.style.setProperty("--done", `${(100 * (index + 1)) / length}%`);
}

const slides = all("section");
slides.forEach(number);

const current = () => slides.findLast((slide) => topOf(slide) < innerHeight / 3) ?? slides[0];
const stepOf = (slide) => slide.id || stepOf(slide.previousElementSibling);

function show(slide) {
  if (!slide) return;
  slide.scrollIntoView();
  history.replaceState(null, "", `#${stepOf(slide)}`);
}

// Scroll by so many pixels, but by most of the window's height at once; return whether there was anything to scroll
function scrollOn(pixels) {
  const most = 0.8 * innerHeight;
  scrollBy(0, Math.max(-most, Math.min(most, pixels)));
  return Math.abs(pixels) > 1;
}

function forward() {
  const slide = current();
  const answer = slide.querySelector("details:not([open])");
  if (scrollOn(Math.max(0, slide.getBoundingClientRect().bottom - innerHeight))) return;
  if (answer) answer.open = true;
  else show(slide.nextElementSibling);
}

function back() {
  if (!scrollOn(Math.min(0, topOf(current())))) show(current().previousElementSibling);
}

const dark = (on) => document.documentElement.classList.toggle("dark", on);

const KEYS = { ArrowRight: forward, ArrowDown: forward, PageDown: forward, " ": forward, d: () => dark() };
Object.assign(KEYS, { ArrowLeft: back, ArrowUp: back, PageUp: back });
Object.assign(KEYS, { Home: () => show(slides[0]), End: () => show(slides.at(-1)) });

addEventListener("keydown", (event) => {
  const pressed = event.key === " " && event.shiftKey ? back : KEYS[event.key];
  if (!pressed || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  pressed();
});

let start;
addEventListener("touchstart", ({ touches: [touch] }) => (start = touch), { passive: true });
addEventListener("touchend", ({ changedTouches: [touch] }) => {
  const [across, along] = [touch.clientX - start.clientX, touch.clientY - start.clientY];
  if (Math.abs(across) > 60 && Math.abs(across) > 2 * Math.abs(along)) (across < 0 ? forward : back)();
});

dark(matchMedia("(prefers-color-scheme: dark)").matches);
const asked = location.hash.slice(1); // the id of a cell, or the number of a slide
show(document.getElementById(asked) ?? slides[asked - 1]);
