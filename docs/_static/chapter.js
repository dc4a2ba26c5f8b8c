/** The widgets in a chapter's page: each takes the place of its picture when it comes near. */

const NEAR = "600px"; // a widget is loaded when it is this far below or above the window

/**
 * For each widget, a function that loads its modules and returns how to build it in an element, from the state that
 * kernel_outputs.py put beside its picture.
 */
const WIDGETS = {
  Pad: async () => {
    const [{ createPad }, { digitsOfDrawing }, { loadNetwork, predict }] = await Promise.all([
      import("./pad.js"),
      import("./segment.js"),
      import("./network.js"),
    ]);
    const read = async (ink) => {
      const digits = digitsOfDrawing(ink, 280, 280);
      const rows = digits.length ? await predict(await loadNetwork(), digits.map((digit) => digit.picture)) : [];
      return digits.map((digit, n) => ({ ...digit, probabilities: rows[n] }));
    };
    return (element) => createPad(element, read);
  },
  LivePad: async () => {
    const [{ mount }, { loadNetwork }] = await Promise.all([import("./live.js"), import("./network.js")]);
    return (element) => mount(element, loadNetwork("report_net"), { example: 7 });
  },
  MovingFilter: async () => {
    const { createMovingFilter } = await import("./moving_filter.js");
    return createMovingFilter;
  },
};

/** Put the widget in place of its picture; if it cannot be loaded or built, the picture is shown. */
async function awaken(element) {
  try {
    const build = await WIDGETS[element.dataset.widget]();
    const stored = element.querySelector("script");
    const widget = document.createElement("div");
    build(widget, stored && JSON.parse(stored.textContent));
    element.replaceChildren(widget);
  } catch (error) {
    console.error(error);
    showPicture(element);
  }
}

/** Let the picture wait: where the widget works, nobody sees it. */
function holdPicture(element) {
  const picture = element.querySelector("img");
  picture.dataset.src = picture.src;
  picture.removeAttribute("src");
}

function showPicture(element) {
  const picture = element.querySelector("img[data-src]");
  if (picture) picture.src = picture.dataset.src;
}

const watch = new IntersectionObserver(
  (seen) => {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      watch.unobserve(target);
      awaken(target);
    }
  },
  { rootMargin: NEAR },
);

for (const element of document.querySelectorAll(".widget")) {
  holdPicture(element);
  watch.observe(element);
  addEventListener("beforeprint", () => showPicture(element));
}
