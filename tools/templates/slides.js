// Keys, clickers and swipes go one step on: to a slide's answer, then down a long slide, then to the next slide.

const slides = [...document.querySelectorAll("section")];
const current = () => slides.findLast((slide) => slide.getBoundingClientRect().top < innerHeight / 3) ?? slides[0];

function show(slide) {
  if (!slide) return;
  slide.scrollIntoView();
  history.replaceState(null, "", `#${slide.id}`);
}

function forward() {
  const slide = current();
  const answer = slide.querySelector("details:not([open])");
  const below = () => slide.getBoundingClientRect().bottom - innerHeight;
  if (answer) {
    answer.open = true;
    if (below() > 1) scrollBy(0, Math.min(below(), answer.getBoundingClientRect().top - 20));
  } else if (below() > 1) scrollBy(0, Math.min(below(), 0.8 * innerHeight));
  else show(slide.nextElementSibling);
}

function back() {
  const slide = current();
  const above = -slide.getBoundingClientRect().top;
  if (above > 1) scrollBy(0, -Math.min(above, 0.8 * innerHeight));
  else show(slide.previousElementSibling);
}

const KEYS = { ArrowRight: forward, PageDown: forward, " ": forward, ArrowLeft: back, PageUp: back };
Object.assign(KEYS, { Home: () => show(slides[0]), End: () => show(slides.at(-1)) });

addEventListener("keydown", (event) => {
  const pressed = event.key === " " && event.shiftKey ? back : KEYS[event.key];
  if (!pressed || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  pressed();
});

// A slide that is a little too long for the window gets smaller letters; a much longer one stays legible, and scrolls
function fit(slide) {
  const answer = slide.querySelector("details");
  const open = answer?.open;
  if (answer) answer.open = true;
  for (const size of [1, 0.92, 0.84]) {
    slide.style = `font-size: ${size}em; --fit: ${size}`;
    if (slide.offsetHeight <= innerHeight) break;
  }
  if (slide.offsetHeight > innerHeight) slide.style = "";
  if (answer) answer.open = open;
}

for (const event of ["load", "resize"]) addEventListener(event, () => slides.forEach(fit));

let start;
addEventListener("touchstart", ({ touches: [touch] }) => (start = touch), { passive: true });
addEventListener("touchend", ({ changedTouches: [touch] }) => {
  const [across, along] = [touch.clientX - start.clientX, touch.clientY - start.clientY];
  if (Math.abs(across) > 60 && Math.abs(across) > 2 * Math.abs(along)) (across < 0 ? forward : back)();
});
