// Each step fills the window, and what does not fit goes to more slides. Keys, the foot and the address are in slides.js.

const all = (selector, place = document) => [...place.querySelectorAll(selector)];
const topOf = (element) => element.getBoundingClientRect().top;
const root = getComputedStyle(document.documentElement);
const em = parseFloat(root.fontSize);
const HEIGHT = parseFloat(root.getPropertyValue("--height")) * em; // of a slide
const endOf = (slide) => topOf(slide) + HEIGHT - parseFloat(getComputedStyle(slide).paddingBottom);
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
  if (heading) return heading.matches("h1") ? heading.innerHTML.split(":")[0] : heading.innerHTML;
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

for (const answer of all("details")) answer.open = true;
let title;
for (let slide = document.querySelector("section"); slide; slide = slide.nextElementSibling) {
  title = entitle(slide, title);
  divide(slide);
  enlarge(slide);
}
for (const answer of all("details")) answer.open = false;
