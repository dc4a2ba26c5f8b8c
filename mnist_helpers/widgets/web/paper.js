/** A drawing: strokes as lists of points [x, y] in 280x280 pixels, shown as light ink on a black canvas. */

export const PAPER_SIDE = 280;
const PEN = 22; // pixels; gives about the stroke width of MNIST after fitting

/**
 * Let the pointer draw on a canvas of 280x280 pixels, and call `onChange` after each change.
 * Returns {strokes(), ink(), show(strokes), undo(), clear()}; ink is Uint8Array(280*280), 0 for paper and 255 for ink.
 */
export function createPaper(canvas, onChange) {
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  let strokes = [];
  const show = (others) => {
    strokes = others;
    redraw(context, strokes);
    onChange();
  };
  const add = (stroke) => show([...strokes, stroke]);
  followPointer(canvas, add, () => show(strokes));
  redraw(context, strokes);
  return {
    strokes: () => strokes,
    ink: () => everyFourth(context.getImageData(0, 0, PAPER_SIDE, PAPER_SIDE).data),
    show,
    undo: () => show(strokes.slice(0, -1)),
    clear: () => show([]),
  };
}

function redraw(context, strokes) {
  Object.assign(context, { fillStyle: "#000", strokeStyle: "#fff", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
  context.fillRect(0, 0, PAPER_SIDE, PAPER_SIDE);
  strokes.forEach((stroke) => drawStroke(context, stroke));
}

/** Draw a smooth curve through the midpoints between the points; a single point is a dot. */
function drawStroke(context, points) {
  context.beginPath();
  context.moveTo(...points[0]);
  for (let n = 1; n < points.length; n++) {
    const [[x, y], [nextX, nextY]] = [points[n - 1], points[n]];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  const [x, y] = points.at(-1);
  context.lineTo(x + 0.01, y); // a line of no length, such as a dot, would not be drawn
  context.stroke();
}

/** Return the red channel of RGBA values; all ink is grey. */
function everyFourth(rgba) {
  const greys = new Uint8Array(rgba.length / 4);
  for (let place = 0; place < greys.length; place++) greys[place] = rgba[4 * place];
  return greys;
}

/** Collect the points of the pointer that was pressed on the canvas; other fingers are ignored meanwhile. */
function followPointer(canvas, add, extended) {
  let [pointer, points] = [null, null];
  const begin = (event) => {
    const busy = pointer !== null && canvas.hasPointerCapture(pointer);
    if (busy || event.button !== 0 || !event.isPrimary) return;
    [pointer, points] = [event.pointerId, [pointOf(event, canvas)]];
    capture(canvas, pointer);
    add(points);
  };
  const end = (event) => {
    if (event.pointerId === pointer) pointer = null;
  };
  const move = (event) => {
    if (event.pointerId !== pointer) return;
    if (event.buttons === 0) return end(event); // it was released outside the window
    points.push(...piecesOf(event).map((piece) => pointOf(piece, canvas)));
    extended();
  };
  canvas.addEventListener("pointerdown", begin);
  canvas.addEventListener("pointermove", move);
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(kind, end);
  // a long press would open a menu during a stroke
  canvas.addEventListener("contextmenu", (event) => event.pointerType !== "mouse" && event.preventDefault());
}

/** Send the events of a pointer outside the canvas to the canvas. Fails if the pointer is already released. */
function capture(canvas, pointer) {
  try {
    canvas.setPointerCapture(pointer);
  } catch {
    // the stroke continues while the pointer is over the canvas
  }
}

/** Return the pointer events since the last one, since browsers may combine several. */
function piecesOf(event) {
  const pieces = event.getCoalescedEvents?.() ?? [];
  return pieces.length ? pieces : [event];
}

function pointOf(event, canvas) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return [((event.clientX - left) * PAPER_SIDE) / width, ((event.clientY - top) * PAPER_SIDE) / height];
}
