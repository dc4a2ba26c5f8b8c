/** The widgets in a chapter's page: each is a picture until it comes near, and then works as in the notebook. */

const NEAR = "600px"; // a widget is loaded when it is this far below or above the window

/** Each takes the place of a widget's picture, and the JSON that kernel_outputs.py put beside it. */
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
    return (element) => createMovingFilter(element, JSON.parse(element.querySelector("script").textContent));
  },
};

/** Put the widget in place of its picture; if it does not load, the picture stays. */
async function awaken(element) {
  const build = await WIDGETS[element.dataset.widget]();
  const picture = [...element.childNodes];
  build(element);
  for (const node of picture) node.remove();
}

const watch = new IntersectionObserver(
  (seen) => {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      watch.unobserve(target);
      awaken(target).catch(console.error);
    }
  },
  { rootMargin: NEAR },
);

for (const element of document.querySelectorAll(".widget")) watch.observe(element);
