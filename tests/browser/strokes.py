"""Thirty handwritten digits as strokes in the pad's 280x280 grid, and a hand that draws them with the mouse.

They were written down for these tests, as a careful, a hasty and a European hand would write; none is from MNIST. A
stroke is a list of points, "x y  x y", that a smooth curve passes through; a point given twice is a corner.
"""

import numpy as np

SIDE = 280
STEPS = 4  # places of the mouse between two points of a stroke

CAREFUL = {
    0: ["148 46  98 72  78 140  95 214  146 240  194 206  206 136  184 70  138 48"],
    1: ["140 44  142 140  139 238"],
    2: ["88 96  104 60  150 45  188 76  178 122  136 175  84 232  84 232  202 229"],
    3: ["90 70  130 46  178 62  180 106  134 133  134 133  186 156  194 205  146 240  86 222"],
    4: ["105 50  90 108  80 156  80 156  198 150", "166 60  163 150  160 239"],
    5: ["106 56  98 130  98 130  142 114  186 146  188 200  146 238  86 222", "106 56  190 50"],
    6: ["170 45  116 95  90 170  110 230  160 236  186 196  160 156  116 165  95 194"],
    7: ["84 61  196 57  196 57  158 130  124 239"],
    8: ["184 80  150 45  106 66  116 110  166 150  190 196  150 239  98 214  112 164  160 116  184 78"],
    9: ["180 86  146 50  101 75  99 120  140 136  176 102  182 72  182 80  180 150  164 239"],
}
HASTY = {
    0: ["186 62  132 54  86 128  80 200  122 232  176 190  206 112  192 66  160 50"],
    1: ["176 50  140 140  104 241"],
    2: ["96 100  130 56  184 58  190 106  140 170  74 230  82 204  120 210  160 235  206 222"],
    3: ["118 62  170 48  194 80  130 128  130 128  176 150  170 206  116 236  68 214"],
    4: ["136 54  84 152  84 152  194 140", "182 74  150 241"],
    5: ["206 54  140 59  140 59  116 126  116 126  160 118  180 166  146 220  78 230"],
    6: ["186 50  120 110  84 186  106 233  152 214  166 176  130 164  94 196"],
    7: ["94 72  150 62  206 55  206 55  162 122  104 241"],
    8: ["196 76  160 50  124 80  150 126  164 176  126 236  80 210  106 160  166 114  202 70"],
    9: ["190 86  150 54  106 94  120 136  166 110  192 76  192 76  170 150  124 241"],
}
EUROPEAN = {
    0: ["126 44  84 96  82 176  122 238  176 218  198 150  184 80  140 44  106 58"],
    1: ["86 126  130 84  160 44  160 44  159 140  156 240"],
    2: ["92 84  132 44  180 62  180 108  88 234  88 234  204 234"],
    3: ["86 54  192 54  192 54  130 122  130 122  180 140  195 196  146 240  84 216"],
    4: ["150 44  80 170  80 170  206 167", "156 116  151 240"],
    5: ["104 48  92 136  92 136  138 112  190 136  196 196  150 240  84 224", "104 48  200 44"],
    6: ["150 40  104 130  92 196  130 240  178 216  174 164  128 154  96 186"],
    7: ["82 70  88 58  196 60  196 60  152 150  124 240", "106 152  186 144"],
    8: ["140 134  102 100  120 55  164 54  180 96  140 134  92 172  96 226  146 242  190 218  184 170  138 132"],
    9: ["186 100  150 54  100 80  110 132  160 132  186 88  188 160  164 226  108 236"],
}
HANDS = {"careful": CAREFUL, "hasty": HASTY, "european": EUROPEAN}


def digits(hand):
    """Yield (digit, strokes) of the ten digits of a hand; a stroke is an array [N, 2] of places of the mouse."""
    for digit, strokes in HANDS[hand].items():
        yield digit, [smooth(points, seed=digit) for points in strokes]


def smooth(points, seed=0):
    """Lead a Catmull-Rom curve through points "x y  x y", with the tremor of a hand: about a pixel. Returns [N, 2]."""
    points = [[float(number) for number in point.split()] for point in points.split("  ")]
    padded = np.array([points[0], *points, points[-1]])
    time = np.linspace(0, 1, STEPS, endpoint=False)[:, None]
    pieces = [_piece(*padded[n : n + 4], time) for n in range(len(points) - 1)]
    curve = np.concatenate([*pieces, padded[-1:]])
    phase = np.arange(len(curve))[:, None] * [0.9, 0.7] + seed
    return curve + np.sin(phase)


def _piece(before, start, end, after, time):
    """The part of a Catmull-Rom curve between two of its points."""
    return start + 0.5 * time * (
        end - before + time * (2 * before - 5 * start + 4 * end - after + time * (3 * (start - end) + after - before))
    )


def draw(page, strokes, canvas=".pad-canvas"):
    """Draw strokes on the pad with the mouse, wherever the canvas is and however large it is shown."""
    box = page.locator(canvas).bounding_box()
    for stroke in strokes:
        places = stroke * [box["width"] / SIDE, box["height"] / SIDE] + [box["x"], box["y"]]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def probabilities(page):
    """The ten probabilities that the pad shows; zeros while it shows none."""
    return page.eval_on_selector_all(".pad-bar", "bars => bars.map(bar => Number(bar.dataset.probability))")
