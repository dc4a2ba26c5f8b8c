/** Ten handwritten digits as strokes. A point "x y" given twice is a corner; a smooth curve passes through the others. */

const POINTS = [
  ["148 46  98 72  78 140  95 214  146 240  194 206  206 136  184 70  138 48"],
  ["140 44  142 140  139 238"],
  ["88 96  104 60  150 45  188 76  178 122  136 175  84 232  84 232  202 229"],
  ["90 70  130 46  178 62  180 106  134 133  134 133  186 156  194 205  146 240  86 222"],
  ["105 50  90 108  80 156  80 156  198 150", "166 60  163 150  160 239"],
  ["106 56  98 130  98 130  142 114  186 146  188 200  146 238  86 222", "106 56  190 50"],
  ["170 45  116 95  90 170  110 230  160 236  186 196  160 156  116 165  95 194"],
  ["84 61  196 57  196 57  158 130  124 239"],
  ["184 80  150 45  106 66  116 110  166 150  190 196  150 239  98 214  112 164  160 116  184 78"],
  ["180 86  146 50  101 75  99 120  140 136  176 102  182 72  182 80  180 150  164 239"],
];
const BETWEEN = 6; // points between two given ones

/** Return the strokes of a digit: lists of points [x, y] in 280x280 pixels. */
export function sample(digit) {
  return POINTS[digit].map((text) => smooth(text.split("  ").map((point) => point.split(" ").map(Number))));
}

/** Lead a Catmull-Rom curve through points. */
function smooth(points) {
  const at = (n) => points[Math.min(Math.max(n, 0), points.length - 1)];
  const curve = points.slice(1).flatMap((_, n) =>
    Array.from({ length: BETWEEN }, (_, step) => between(at(n - 1), at(n), at(n + 1), at(n + 2), step / BETWEEN)),
  );
  return [...curve, points.at(-1)];
}

function between(before, start, end, after, time) {
  return [0, 1].map((axis) => {
    const [a, b, c, d] = [before, start, end, after].map((point) => point[axis]);
    return b + 0.5 * time * (c - a + time * (2 * a - 5 * b + 4 * c - d + time * (3 * (b - c) + d - a)));
  });
}
