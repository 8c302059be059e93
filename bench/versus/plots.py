"""Plots as SVG text: ratios with their intervals on a logarithmic axis, and every slice of a workload."""
import html
import math

# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#888888")
ROW_HEIGHT = 26
LABEL_WIDTH = 190
PLOT_WIDTH = 640
TOP = 30
MARGIN = 24
SLICES_HEIGHT = 150
SLICES_WIDTH = 400
CURVES_HEIGHT = 300
CURVES_WIDTH = 560
LABEL_ROOM = 30


def colour_of(names):
    """The same colour for a server in every plot."""
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}


def ratios(rows, colours):
    """`rows`: (label, [(server, {median, low, high})]). A vertical line marks 1."""
    values = [edge for _, points in rows for _, ratio in points
              for edge in (ratio["median"], ratio["low"] or ratio["median"], ratio["high"] or ratio["median"])]
    if not values:
        return ""
    axis = LogAxis(min([*values, 0.8]), max([*values, 1.25]), PLOT_WIDTH - 2 * MARGIN)
    height = TOP + ROW_HEIGHT * len(rows) + MARGIN
    parts = [opening(LABEL_WIDTH + PLOT_WIDTH, height)]
    for value in axis.ticks():
        x = LABEL_WIDTH + MARGIN + axis.at(value)
        kind = "one" if value == 1 else "grid"
        parts.append(line(x, TOP - 8, x, height - MARGIN, kind))
        parts.append(text(x, TOP - 14, f"{value:g}", "middle"))
    for number, (label, points) in enumerate(rows):
        y = TOP + ROW_HEIGHT * number + ROW_HEIGHT / 2
        parts.append(text(LABEL_WIDTH, y + 4, label, "end"))
        parts += [ratio_mark(server, ratio, axis, y, colours[server]) for server, ratio in points]
    return "".join([*parts, "</svg>"])


def ratio_mark(server, ratio, axis, y, colour):
    x = LABEL_WIDTH + MARGIN + axis.at(ratio["median"])
    told = f"{server}: {ratio['median']:.3g}"
    whisker = ""
    if ratio["low"] is not None:
        low, high = (LABEL_WIDTH + MARGIN + axis.at(ratio[key]) for key in ("low", "high"))
        whisker = f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
        told += f" [{ratio['low']:.3g}, {ratio['high']:.3g}]"
    return (f'<g>{whisker}<circle cx="{x:.1f}" cy="{y}" r="5" fill="{colour}"/>'
            f"<title>{html.escape(told)}</title></g>")


def slices(servers, colours, scale=1):
    """Every slice of a workload as a dot, in the order of time; a line at each server's median."""
    figures = {name: [value / scale for each in server["slices"] for value in each]
               for name, server in servers.items()}
    positive = [value for values in figures.values() for value in values if value > 0]
    if not positive:
        return ""
    axis = LogAxis(min(positive) / 1.15, max(positive) * 1.15, SLICES_HEIGHT - TOP - 10)
    left, right = 56, SLICES_WIDTH - 10
    parts = [opening(SLICES_WIDTH, SLICES_HEIGHT)]
    for value in axis.ticks():
        y = SLICES_HEIGHT - TOP / 2 - axis.at(value)
        parts += [line(left, y, right, y, "grid"), text(left - 6, y + 4, f"{value:g}", "end")]
    for name, values in figures.items():
        step = (right - left) / max(len(values), 1)
        for number, value in enumerate(values):
            if value > 0:
                parts.append(dot(left + step * (number + 0.5),
                                 SLICES_HEIGHT - TOP / 2 - axis.at(value), colours[name], f"{name}: {value:.4g}"))
        if servers[name]["median"] > 0:
            y = SLICES_HEIGHT - TOP / 2 - axis.at(servers[name]["median"] / scale)
            parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{colours[name]}" '
                         'stroke-opacity=".4"/>')
    return "".join([*parts, "</svg>"])


def curves(series, colours, from_zero=False):
    """`series`: name -> [{x, median, low, high}] in the order of x, all positive. x is logarithmic, y too
    unless it is to begin at zero, which shows what is flat."""
    points = [point for each in series.values() for point in each]
    if not points:
        return ""
    across = LogAxis(min(point["x"] for point in points), max(point["x"] for point in points), CURVES_WIDTH - 100)
    highest, lowest = max(point["high"] for point in points), min(point["low"] for point in points)
    length = CURVES_HEIGHT - 2 * MARGIN - TOP / 2
    up = LinearAxis(highest * 1.1, length) if from_zero else LogAxis(lowest / 1.15, highest * 1.15, length)
    left, bottom = 64, CURVES_HEIGHT - 2 * MARGIN
    parts = [opening(CURVES_WIDTH, CURVES_HEIGHT)]
    for value in up.ticks():
        y = bottom - up.at(value)
        parts += [line(left, y, CURVES_WIDTH - 20, y, "grid"), text(left - 6, y + 4, short(value), "end")]
    parts += labels_below(sorted({point["x"] for point in points}), left + 8, across, bottom + 18)
    for name, each in series.items():
        placed = [(left + 8 + across.at(point["x"]), bottom - up.at(point["median"]),
                   bottom - up.at(point["low"]), bottom - up.at(point["high"]), point) for point in each]
        parts.append(curve(name, placed, colours[name]))
    return "".join([*parts, "</svg>"])


def labels_below(values, left, across, y):
    """Those that have room."""
    parts, taken = [], -LABEL_ROOM
    for value in values:
        if across.at(value) - taken >= LABEL_ROOM:
            taken = across.at(value)
            parts.append(text(left + taken, y, short(value), "middle"))
    return parts


def curve(name, placed, colour):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _, _ in placed)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>']
    for x, y, low, high, point in placed:
        parts.append(f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{colour}" '
                     'stroke-width="2" stroke-opacity=".5"/>')
        parts.append(dot(x, y, colour, f"{name}, {point['x']:,}: {point['median']:.4g}"))
    return "".join(parts)


def short(value):
    """1500 is 1.5k, and 2048 is 2k."""
    sizes = ((1 << 20, "M"), (1 << 10, "k")) if value and value % 1024 == 0 else ((1e6, "M"), (1e3, "k"))
    for size, letter in sizes:
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


class LinearAxis:
    """From 0 to `high`."""

    def __init__(self, high, length):
        self.high = high
        self.length = length

    def at(self, value):
        return min(max(value / self.high, 0), 1) * self.length

    def ticks(self):
        """About five, at 1, 2 or 5 of a decade."""
        decade = 10 ** math.floor(math.log10(self.high / 5))
        step = next(factor * decade for factor in (1, 2, 5, 10) if factor * decade * 5 >= self.high)
        return [step * number for number in range(int(self.high / step) + 1)]


class LogAxis:
    """Octets, microseconds and ratios differ by orders of magnitude. `at` is from 0 to `length`."""

    def __init__(self, low, high, length):
        self.low = math.log10(low)
        self.high = max(math.log10(high), self.low + 0.1)
        self.length = length

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return min(max(share, 0), 1) * self.length

    def ticks(self):
        """1, 2 and 5 of each decade; fewer over many decades, finer ones within one."""
        decades = self.high - self.low
        factors = (1, 2, 5) if decades < 3 else (1,)
        if decades < 0.5:
            factors = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
        exponents = range(math.floor(self.low), math.ceil(self.high) + 1)
        every = [float(f"{factor}e{exponent}") for exponent in exponents for factor in factors]
        return [value for value in every if self.low <= math.log10(value) <= self.high]


def opening(width, height):
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'


def line(x1, y1, x2, y2, kind):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(x, y, words, anchor):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def dot(x, y, colour, told):
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{html.escape(told)}</title>'
            "</circle>")
