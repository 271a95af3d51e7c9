"""Draws a roofline: a point for each layer under the roof, on logarithmic axes, and a histogram of time below.

Needs Matplotlib. The output is deterministic. Names are drawn literally: Matplotlib would typeset text between two
dollar signs as mathematics.
"""

import io
import math
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

from archcalc.analysis.roofline import LayerRoofline, Roofline
from archcalc.analysis.roofline_document import unit_of
from archcalc.errors import UsageError, printable
from archcalc.numbers.bounds import Inexact
from archcalc.numbers.units import digits, engineering, percent, round_figure
from archcalc.render.style import shortened

try:
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter
except ModuleNotFoundError as error:
    if error.name != "matplotlib":
        raise
    raise UsageError("a picture needs Matplotlib, which is not installed", "pip install 'archcalc[plot]'") from None

# Omits the metadata of each format, such as the date.
METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "archcalc",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "axes.spines.top": False,
    "axes.spines.right": False,
}

# By family: Okabe and Ito's colours, which are distinct for people with a colour vision deficiency.
COLORS = {
    "convolution": "#0072B2",
    "dense": "#D55E00",
    "normalization": "#009E73",
    "activation": "#E69F00",
    "pooling": "#CC79A7",
    "merging": "#56B4E9",
    "attention": "#8C564B",
    "graph": "#6A3D9A",
    "shaping": "#999999",
    "block": "#44546A",
}
OTHER_COLOR = "#444444"
LARGEST, SMALLEST = 900.0, 12.0  # areas of points, in square points
LABELS = 6
LABEL_LETTERS = 34
LETTER_WIDTH, LINE_HEIGHT = 6.8, 15.0  # of a label, in pixels
BARS_PER_DECADE = 8
NO_MATHEMATICS = {"parse_math": False}


def draw(found: Roofline, file_format: str) -> bytes:
    """Draw a roofline as svg, pdf or png."""
    content = io.BytesIO()
    with rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # an SVG viewer may have it
        _RooflineFigure(found).figure.savefig(content, format=file_format, metadata=METADATA[file_format], dpi=160)
    return content.getvalue()


class Point(NamedTuple):
    """A layer or block, with its coordinates."""

    row: LayerRoofline
    x: float
    y: float

    @property
    def seconds(self) -> float:
        """The least time in seconds, which sets the area."""
        return self.row.seconds

    @property
    def color(self) -> str:
        """The colour of its family."""
        return COLORS.get(self.row.family, OTHER_COLOR)

    @property
    def marker(self) -> str:
        """A circle; an arrow to the left for a layer without operations, whose intensity is 0."""
        return "o" if self.row.operations else "<"


class _RooflineFigure:
    def __init__(self, found: Roofline) -> None:
        self.found, self.roof, self.unit = found, found.roof, unit_of(found.dtype)
        rows = [row for row in found.layers if row.seconds and not isinstance(row.operations, Inexact)]
        known = [self.roof.ridge, *(row.intensity for row in rows if row.intensity)]
        self.first, self.last = min(known) / 4, max(known) * 5
        self.points = [
            Point(row, row.intensity or self.first, row.operations_per_second or self._reached(self.first))
            for row in rows
        ]
        self.figure = Figure(figsize=(10, 6.4), layout="constrained")
        self.above, self.below = self.figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        self._axes()
        self._roof()
        self._points()
        self._times()
        self._missing()
        self.figure.draw_without_rendering()  # which fixes the positions of points
        self._labels()

    def _reached(self, intensity: float) -> float:
        """The attainable operations/s at an intensity."""
        return min(self.roof.operations_per_second, intensity * self.roof.bytes_per_second)

    def _axes(self) -> None:
        for axes in (self.above, self.below):
            axes.set_xscale("log")
            axes.grid(color="#EAEAEA", linewidth=0.6)
            axes.set_axisbelow(True)
        self.above.set_yscale("log")
        self.above.set_xlim(self.first / 1.5, self.last)
        self.above.set_ylim(self._reached(self.first) / 5, self.roof.operations_per_second * 2.5)
        self.above.set_ylabel(f"{self.unit}/s, at most")
        self.above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: round_figure(value)))
        self.below.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
        self.below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: round_figure(value, "s")))
        self.below.set_xlabel(f"arithmetic intensity, {self.unit}/byte")
        self.below.set_ylabel("time, at least")
        head, device = self._title()
        self.above.set_title(head, loc="left", fontsize=13, fontweight="bold", pad=24, **NO_MATHEMATICS)
        place = {"transform": self.above.transAxes, "color": "#555555", "fontsize": 10.5}
        self.above.text(0, 1.025, device, **place, **NO_MATHEMATICS)

    def _title(self) -> tuple[str, str]:
        found, roof = self.found, self.roof
        peak = engineering(roof.operations_per_second, f"{self.unit}/s")
        memory = engineering(roof.bytes_per_second, "B/s")
        head = (
            f"{shortened(printable(found.network), 60)} · batch {found.batch} · time ≥ {engineering(found.time, 's')}"
        )
        return head, f"{shortened(printable(found.device.name), 60)} · {found.dtype} {peak} · memory {memory}"

    def _roof(self) -> None:
        ridge, peak, start = self.roof.ridge, self.roof.operations_per_second, self.first / 1.5
        self.above.plot([start, ridge, self.last], [self._reached(start), peak, peak], color="#222222", zorder=2)
        for axes in (self.above, self.below):
            axes.axvspan(start, ridge, color="#0072B2", alpha=0.05, linewidth=0)
            axes.axvline(ridge, color="#888888", linewidth=0.8, linestyle=(0, (4, 3)))
        self._note(0.985, "bound by memory  ", "right")
        self._note(0.985, "  bound by arithmetic", "left")
        self._note(0.06, f"  ridge at {digits(ridge)} {self.unit}/B", "left")

    def _note(self, height: float, text: str, side: str) -> None:
        """Write a text beside the ridge."""
        place = {"transform": self.above.get_xaxis_transform(), "ha": side, "va": "top"}
        self.above.text(self.roof.ridge, height, text, color="#666666", fontsize=9, **place)

    def _families(self) -> dict[str, list[Point]]:
        """The points of each family, the slowest family first."""
        families: dict[str, list[Point]] = {}
        for point in self.points:
            families.setdefault(point.row.family, []).append(point)
        return dict(sorted(families.items(), key=lambda item: -_seconds(item[1])))

    def _points(self) -> None:
        longest = max((point.seconds for point in self.points), default=1.0)
        for family, points in self._families().items():
            share = percent(_seconds(points) / self.found.time)
            self.above.scatter([], [], s=70, color=points[0].color, linewidths=0, label=f"{family}  {share}")
            for marker in sorted({point.marker for point in points}):
                self._scatter([point for point in points if point.marker == marker], marker, longest)
        if self.points:
            title = "share of time\n(as the area of a point)"
            self.above.legend(loc="upper left", title=title, edgecolor="#DDDDDD", labelspacing=0.6)

    def _scatter(self, points: list[Point], marker: str, longest: float) -> None:
        """Draw points of one colour and marker."""
        drawn = self.above.scatter(
            [point.x for point in points],
            [point.y for point in points],
            s=[max(LARGEST * point.seconds / longest, SMALLEST) for point in points],
            color=points[0].color,
            marker=marker,
            alpha=0.5,
            edgecolors="white",
            linewidths=0.6,
            zorder=3,
        )
        drawn.set_gid(f"layers-{points[0].row.family}-{'some' if marker == 'o' else 'no'}-operations")

    def _times(self) -> None:
        """Draw a histogram of time over intensity."""
        families = [*self._families().values()]
        decades = math.log10(self.last / self.first)
        count = max(math.ceil(decades * BARS_PER_DECADE), 1)
        edges = [
            self.first / 1.5 * 10 ** (math.log10(self.last / self.first * 1.5) * n / count) for n in range(count + 1)
        ]
        if families:
            self.below.hist(
                [[point.x for point in points] for points in families],
                bins=edges,
                weights=[[point.seconds for point in points] for points in families],
                color=[points[0].color for points in families],
                stacked=True,
                rwidth=0.9,
            )

    def _missing(self) -> None:
        """Write the number of layers that have no point."""
        count = sum(1 for row in self.found.layers if isinstance(row.operations, Inexact))
        if count:
            verb, whose = ("is", "its") if count == 1 else ("are", "their")
            text = f"{count} layer{'s' * (count > 1)} {verb} not drawn: {whose} operations are not known"
            place = {"transform": self.above.transAxes, "ha": "right", "va": "bottom"}
            self.above.text(0.99, 0.02, text, color="#666666", fontsize=9, **place)

    def _labels(self) -> None:
        """Label the slowest places, below and to the right, without overlaps."""
        boxes: list[tuple[float, float, float]] = []  # left, right and height of each label
        end_of_axes = self.above.bbox.x1
        for points in sorted(self._places(), key=lambda points: points[0].x):
            x, y = self.above.transData.transform((points[0].x, points[0].y))
            text = _label(points)
            width, height = LETTER_WIDTH * len(text), y - 30
            left = min(x + 16, end_of_axes - width)
            while any(
                abs(height - other) < LINE_HEIGHT and left < end and start < left + width for start, end, other in boxes
            ):
                height -= LINE_HEIGHT
            boxes.append((left, left + width, height))
            reached = (0, 0.5) if left > x else ((x - left) / width, 1)  # where the line from the point meets the label
            self.above.annotate(
                text,
                (points[0].x, points[0].y),
                xytext=((left - x) * 0.72, (height - y) * 0.72),
                textcoords="offset points",
                fontsize=8.5,
                va="center",
                arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.7, "relpos": reached},
                zorder=4,
                **NO_MATHEMATICS,
            ).set_in_layout(False)

    def _places(self) -> list[list[Point]]:
        """The slowest points, grouped by spot, the slowest group first."""
        spots: dict[tuple[Any, ...], list[Point]] = {}
        for point in sorted(self.points, key=lambda point: -point.seconds):
            spots.setdefault((point.color, point.marker, round(20 * math.log10(point.x))), []).append(point)
        return sorted(spots.values(), key=lambda points: -_seconds(points))[:LABELS]


def _label(points: list[Point]) -> str:
    more = f" and {len(points) - 1} more" if len(points) > 1 else ""
    idle = "" if points[0].row.operations else ", no operations"
    name = shortened(printable(points[0].row.name), LABEL_LETTERS)
    return f"{name}{more}, {engineering(_seconds(points), 's')}{idle}"


def _seconds(points: Iterable[Point]) -> float:
    return sum(point.seconds for point in points)
