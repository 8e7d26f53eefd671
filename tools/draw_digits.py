# SPDX-License-Identifier: Apache-2.0
"""Draws the ten digits with a round pen, the way MNIST looks: 28x28, white on
black, the figure in a box of 20 pixels, its centre of mass in the middle.

The strokes are curves through a few points, x to the right, y down, the
figure about one unit high. They were put down by hand for this project.
"""

import numpy as np

SIDE, BOX, PEN = 28, 20, 1.35    # pixels; PEN is the radius

# digit -> strokes; a stroke is the points that the pen passes through.
STROKES = {
    0: [[(.50, .02), (.24, .16), (.16, .50), (.26, .86), (.50, .98), (.74, .84), (.82, .50), (.74, .15), (.50, .02)]],
    1: [[(.62, .00), (.55, .50), (.48, 1.0)]],
    2: [[(.16, .24), (.30, .05), (.56, .00), (.74, .18), (.68, .42), (.42, .72), (.14, .96)],
        [(.14, .96), (.50, .94), (.88, .97)]],
    3: [[(.18, .12), (.42, .00), (.68, .08), (.70, .30), (.56, .44), (.38, .48)],
        [(.38, .48), (.62, .52), (.78, .70), (.66, .93), (.40, 1.0), (.14, .90)]],
    4: [[(.24, .02), (.18, .28), (.14, .50)], [(.14, .50), (.46, .52), (.84, .47)],
        [(.76, .04), (.70, .50), (.66, 1.0)]],
    5: [[(.80, .03), (.54, .02), (.28, .05)], [(.28, .05), (.25, .24), (.22, .44)],
        [(.22, .44), (.48, .38), (.72, .50), (.76, .74), (.60, .95), (.36, 1.0), (.14, .90)]],
    6: [[(.66, .00), (.42, .16), (.24, .46), (.20, .74), (.36, .97), (.62, .95), (.74, .74), (.60, .54), (.38, .58),
          (.23, .76)]],
    7: [[(.12, .06), (.46, .06), (.84, .03)], [(.84, .03), (.66, .36), (.52, .68), (.44, 1.0)]],
    8: [[(.72, .14), (.50, .01), (.28, .14), (.34, .36), (.52, .48), (.70, .64), (.72, .86), (.50, .99), (.28, .86),
          (.32, .64), (.52, .48), (.68, .34), (.72, .14)]],
    9: [[(.74, .22), (.54, .02), (.30, .10), (.22, .32), (.36, .48), (.58, .42), (.74, .22)],
        [(.74, .22), (.70, .50), (.64, .76), (.56, 1.0)]],
}


def _curve(points, steps=24):
    """A Catmull-Rom curve through the points, as a fine polyline."""
    p = np.array(points, float)
    closed = np.array_equal(p[0], p[-1])
    before, after = (p[-2], p[1]) if closed else (2 * p[0] - p[1], 2 * p[-1] - p[-2])
    p = np.vstack([before, p, after])
    t = np.linspace(0, 1, steps)[:, None]
    parts = [0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t ** 2 + (3 * b - a - 3 * c + d) * t ** 3)
             for a, b, c, d in zip(p, p[1:], p[2:], p[3:])]
    return np.vstack(parts)


def _distance(lines, x, y):
    """Distance of the points (x, y) to the nearest of the polylines."""
    best = np.full(x.shape, np.inf)
    for line in lines:
        for (ax, ay), (bx, by) in zip(line, line[1:]):
            dx, dy = bx - ax, by - ay
            length2 = max(dx * dx + dy * dy, 1e-12)
            t = np.clip(((x - ax) * dx + (y - ay) * dy) / length2, 0, 1)
            best = np.minimum(best, np.hypot(x - ax - t * dx, y - ay - t * dy))
    return best


def draw(digit):
    """The digit as a [28, 28] array of bytes."""
    lines = [_curve(stroke) for stroke in STROKES[digit]]
    every = np.vstack(lines)
    low, high = every.min(0), every.max(0)
    scale = (BOX - 2 * PEN) / (high - low).max()
    lines = [(line - (low + high) / 2) * scale + (SIDE - 1) / 2 for line in lines]
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    ink = np.clip(PEN + 0.5 - _distance(lines, x, y), 0, 1)
    centre = np.array([(ink * x).sum(), (ink * y).sum()]) / ink.sum()
    lines = [line + (SIDE - 1) / 2 - centre for line in lines]
    ink = np.clip(PEN + 0.5 - _distance(lines, x, y), 0, 1)
    return np.round(255 * ink).astype(np.uint8)


def write_pgm(path, image):
    with open(path, "wb") as file:
        file.write(b"P5\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.tobytes())


def read_pgm(path):
    """Reads back what write_pgm wrote."""
    with open(path, "rb") as file:
        magic, size, top, pixels = file.read().split(b"\n", 3)
    assert magic == b"P5" and top == b"255"
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width)
