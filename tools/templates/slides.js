// Each step fills the window: what does not fit goes to more slides. Keys, clickers and swipes go one step on, which is
// the answer to a question or the next slide.

const HEIGHT = 27.5 - 1.9; // of what a slide shows above its foot, in letters (em): see slides.css
const all = (selector, place = document) => [...place.querySelectorAll(selector)];
const topOf = (element) => element.getBoundingClientRect().top;
const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
const endOf = (slide) => topOf(slide) + HEIGHT * em;
const roomOn = (slide) => endOf(slide) - slide.lastElementChild.getBoundingClientRect().bottom;

// Where a slide may end, and then the sizes of code and figures, in letters (em): from the best choice to the worst
const BLOCK = ".lead > *, .code, .result > *";
const CHOICES = [
  [".part", 0.75, 16],
  [".highlight + .output", 0.75, 16],
  [".part", 0.69, 16],
  [".part", 0.62, 12],
  [BLOCK, 0.75, 12],
  [BLOCK, 0.62, 12],
  ["pre", 0.75, 12],
  ["pre", 0.62, 12],
];

// A slide without a heading has the title of the one before, in grey; return the title for the next
function entitle(slide, title) {
  const heading = slide.querySelector("h1, h2, h3");
  if (heading) return heading.matches("h1") ? heading.textContent.split(":")[0] : heading.innerHTML;
  slide.insertAdjacentHTML("afterbegin", `<p class="title" aria-hidden="true">${title}</p>`);
  return title;
}

// Move what does not fit to a new slide
function divide(slide) {
  for (const [stops, code, figure] of CHOICES) {
    slide.style = `--code: ${code}em; --figure: ${figure}em`;
    if (roomOn(slide) >= 0) return;
    const fits = (place) => topOf(place) > topOf(slide.querySelector(".part")) && topOf(place) <= endOf(slide);
    const stop = all(stops, slide).findLast(fits);
    if (stop) return void cut(slide, stop);
  }
}

// Begin a new slide with `stop`. An answer is never divided between its question's slide, where a click shows it, and
// others: it begins the next slide, without that click.
function cut(slide, stop) {
  const answer = stop.closest("details");
  if (answer) {
    answer.firstElementChild.remove();
    [stop] = answer.children;
    answer.replaceWith(...answer.children);
  }
  while (!stop.previousElementSibling) stop = stop.parentElement;
  const range = new Range();
  range.setStartBefore(stop);
  range.setEndAfter(slide.lastChild);
  const rest = document.createElement("section");
  rest.append(slide.querySelector(".number").cloneNode(true), range.extractContents());
  slide.after(rest);
}

// A figure gets the room that is left
function enlarge(slide) {
  const figures = slide.querySelectorAll(".output img").length;
  if (figures && roomOn(slide) > 0) slide.style.setProperty("--more", `${roomOn(slide) / em / figures}em`);
}

function number(slide, index, { length }) {
  slide.querySelector(".count").textContent = `${index + 1} / ${length}`;
  slide.style.setProperty("--done", `${(100 * (index + 1)) / length}%`);
  slide.id = index + 1;
}

const wanted = document.getElementById(location.hash.slice(1)); // a cell
for (const answer of all("details")) answer.open = true;
let title;
for (let slide = document.querySelector("section"); slide; slide = slide.nextElementSibling) {
  title = entitle(slide, title);
  divide(slide);
  enlarge(slide);
}
for (const answer of all("details")) answer.open = false;
const slides = all("section");
slides.forEach(number);

const current = () => slides.findLast((slide) => topOf(slide) < innerHeight / 3) ?? slides[0];

function show(slide) {
  if (!slide) return;
  slide.scrollIntoView();
  history.replaceState(null, "", `#${slide.id}`);
}

function forward() {
  const answer = current().querySelector("details:not([open])");
  if (answer) answer.open = true;
  else show(current().nextElementSibling);
}

const back = () => show(current().previousElementSibling);
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
const asked = wanted ?? document.getElementById(location.hash.slice(1));
if (asked) show(asked);
