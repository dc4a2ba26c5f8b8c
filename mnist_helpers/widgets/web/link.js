/** A drawing as text for a link: two bytes a point, two bytes 255 at the end of a stroke, in base64 for URLs. */

const NAME = "#digit=";
const FAR = 5; // pixels; points nearer to the one before are left out
const STEPS = 254; // of a coordinate
const MOST = 20_000; // characters that are read

/** Return the part of a URL that holds strokes in `side` x `side` pixels. */
export function fragmentOf(strokes, side) {
  const inside = (value) => Math.round((Math.min(Math.max(value, 0), side) * STEPS) / side);
  const bytes = strokes.flatMap((stroke) => [...thinned(stroke).flatMap((point) => point.map(inside)), 255, 255]);
  const text = btoa(String.fromCharCode(...bytes));
  return NAME + text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function thinned(stroke) {
  const kept = [stroke[0]];
  for (const [n, [x, y]] of stroke.entries()) {
    const [lastX, lastY] = kept.at(-1);
    if (Math.hypot(x - lastX, y - lastY) >= FAR || (n > 0 && n === stroke.length - 1)) kept.push([x, y]);
  }
  return kept;
}

/** Return the strokes in the part of a URL, or null if there are none or they are damaged. */
export function strokesIn(fragment, side) {
  if (!fragment.startsWith(NAME) || fragment.length > MOST) return null;
  const bytes = bytesOf(fragment.slice(NAME.length));
  const strokes = [[]];
  for (let n = 0; n + 1 < bytes.length; n += 2) {
    if (bytes[n] <= STEPS && bytes[n + 1] <= STEPS) {
      strokes.at(-1).push([(bytes[n] * side) / STEPS, (bytes[n + 1] * side) / STEPS]);
    } else strokes.push([]);
  }
  const drawn = strokes.filter((stroke) => stroke.length > 0);
  return drawn.length ? drawn : null;
}

function bytesOf(text) {
  try {
    return Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  } catch {
    return [];
  }
}
