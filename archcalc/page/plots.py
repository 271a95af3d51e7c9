"""Draws the plots of a page with Matplotlib, as SVG elements in the page's font and text colour."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

from archcalc.analysis.field import ReceptiveField
from archcalc.analysis.memory import Memory
from archcalc.errors import UsageError, printable
from archcalc.network import Network
from archcalc.numbers.bounds import AtLeast, certain, floor_of, value_text

try:
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
except ModuleNotFoundError as error:
    if error.name != "matplotlib":
        raise
    raise UsageError("a report needs Matplotlib, which is not installed", "pip install 'archcalc[report]'") from None

from archcalc.diagram.roofline import SETTINGS
from archcalc.numbers.units import mebibytes, round_figure
from archcalc.render.style import display_width, shortened

INK = "#010203"  # a placeholder for the text colour of the page
SERIES, FIXED = "#2f7fc1", "#95a1b0"  # visible on a light and a dark background
PANEL = (5.2, 1.9)  # inches of a plot over the layers, readable at 370 pixels
OWN = dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
MOST_STEPS = 1500  # of a plot over the layers
LETTERS, HEIGHT = 10, 13  # font size and line height in points
MOST_FIGURES = 20  # digits of a size in a legend
LARGEST = 10**300  # the largest value that is drawn


class Panel(NamedTuple):
    """A plot over the layers: stacked areas by name, with a legend if there are several."""

    title: str
    areas: dict[str, Sequence[float | None]]


def plot_depth(network: Network, prefix: str, memory: Memory | None) -> str:
    """Plot parameters, MACs, memory (if any) and receptive field over the layers, an SVG element each.

    Returns an empty text for a network without layers.
    """
    if not network.layers:
        return ""
    panels = [
        Panel("Parameters", {"parameters": [row.parameters for row in network.layers]}),
        Panel("MACs", {"MACs": [certain(row.macs) for row in network.layers]}),
        *([_memory_panel(memory)] if memory else []),
        Panel("Receptive field, widest axis", {"field": [_widest(row.receptive_field) for row in network.layers]}),
    ]
    with rc_context(SETTINGS | OWN):
        return "".join(_plot_panel(panel, f"{prefix}-{number}") for number, panel in enumerate(panels))


def _widest(field: ReceptiveField | None) -> int | None:
    return max((size for size in field.size if size is not None), default=None) if field else None


def _memory_panel(memory: Memory) -> Panel:
    """Weights and buffers, which are always alive, with the live values on top."""
    at_least = " (at least)" * isinstance(memory.peak, AtLeast)
    values = [floor_of(memory.values_alive(row)) / 2**20 for row in memory.layers]
    fixed = f"weights and buffers, {shortened(mebibytes(memory.fixed), MOST_FIGURES)}"
    peak = f"values, {shortened(value_text(memory.activations, mebibytes), MOST_FIGURES)} at the peak"
    return Panel(f"Memory alive, MiB{at_least}", {fixed: [memory.fixed / 2**20] * len(values), peak: values})


def _plot_panel(panel: Panel, prefix: str) -> str:
    figure = Figure(figsize=PANEL, layout="constrained")
    axes = figure.subplots()
    count = max(map(len, panel.areas.values()))
    _stack(axes, panel.areas)
    # The legend has its own line below the title.
    axes.set_title(panel.title, loc="left", fontsize=10, pad=20 if len(panel.areas) > 1 else 6)
    if len(panel.areas) > 1:
        place = {"loc": "lower left", "bbox_to_anchor": (-0.01, 0.97), "borderaxespad": 0.2}
        axes.legend(**place, ncols=2, frameon=False, fontsize=8, handlelength=1, columnspacing=1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: _tick(value)))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, count + 0.5)
    return inlined(_svg(figure), prefix, f"{panel.title.partition(',')[0]} of each layer")


def _tick(value: float) -> str:
    return f"{value:g}" if value < 1000 else round_figure(value)


def _stack(axes: Any, areas: Mapping[str, Sequence[float | None]]) -> None:
    """Draw a step for each layer, or the maximum of a few layers if there are many; unknown values are gaps."""
    below: list[float] | float = 0
    colors = [SERIES] if len(areas) == 1 else [FIXED, SERIES]
    for (name, values), color in zip(areas.items(), colors, strict=True):
        width = -(-len(values) // MOST_STEPS)
        heights = _largest_of_each(values, width)
        if isinstance(below, list):
            heights = [_drawable(one + other) for one, other in zip(below, heights, strict=True)]
        edges = [0.5 + width * place for place in range(len(heights) + 1)]
        axes.stairs(heights, edges, baseline=below, fill=True, color=color, label=name)
        below = heights
    axes.set_ylim(bottom=0)


def _largest_of_each(values: Sequence[float | None], width: int) -> list[float]:
    """The maximum of each `width` values; NaN if all are unknown."""
    groups = [[value for value in values[i : i + width] if value is not None] for i in range(0, len(values), width)]
    return [_drawable(max(group)) if group else float("nan") for group in groups]


def plot_sizes(networks: Mapping[str, Network]) -> str:
    """Plot the MACs of networks over their parameters, a point each."""
    with rc_context(SETTINGS | OWN):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        for network in networks.values():
            place = _drawable(network.totals.parameters), _drawable(floor_of(network.totals.macs))
            axes.plot(*place, "o", color=SERIES, markersize=8, clip_on=False, zorder=3)
        axes.margins(0.15)
        _scale(axes.set_xscale, axes.set_xlim, [network.totals.parameters for network in networks.values()])
        _scale(axes.set_yscale, axes.set_ylim, [floor_of(network.totals.macs) for network in networks.values()])
        for axis, name in ((axes.xaxis, "Parameters"), (axes.yaxis, "MACs")):
            axis.set_major_formatter(FuncFormatter(lambda value, _place: round_figure(value)))
            axis.set_minor_formatter(NullFormatter())
            axis.set_label_text(name)
        figure.draw_without_rendering()  # which fixes all positions
        _label(axes, networks)
        return inlined(_svg(figure), "sizes", "MACs against parameters, a point for each network")


def _label(axes: Any, networks: Mapping[str, Network]) -> None:
    """Label each point where the label overlaps the others least."""
    labels = {
        f"{shortened(printable(label), 40)}{' (at least)' * isinstance(network.totals.macs, AtLeast)}": (
            _drawable(network.totals.parameters),
            _drawable(floor_of(network.totals.macs)),
        )
        for label, network in networks.items()
    }
    scale = 72 / axes.figure.dpi
    points = {text: tuple(axes.transData.transform(place) * scale) for text, place in labels.items()}
    taken = [_LabelBox(x - 5, y - 5, x + 5, y + 5) for x, y in points.values()]
    for text, (x, y) in points.items():
        width = 0.6 * LETTERS * display_width(text)
        boxes = [_LabelBox(x + dx, y + dy, x + dx + width, y + dy + HEIGHT) for dx, dy in _around(width)]
        box = min(boxes, key=lambda box: sum(map(box.shared, taken)))
        taken.append(box)
        offset = (box.left - x, box.bottom - y)
        axes.annotate(text, labels[text], xytext=offset, textcoords="offset points", fontsize=LETTERS, parse_math=False)


def _around(width: float) -> Iterator[tuple[float, float]]:
    """Places beside a point, the best first, then farther away."""
    for far in range(0, 60, 12):
        for x in (7 + far / 4, -width - 7 - far / 4):
            yield from ((x, 3 + far), (x, -LETTERS - 3 - far), (x, -LETTERS / 2))
        yield from ((-width / 2, 8 + far), (-width / 2, -LETTERS - 8 - far))


class _LabelBox(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def shared(self, other: "_LabelBox") -> float:
        """The area of the overlap of two boxes."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(wide, 0) * max(high, 0)


def _scale(set_scale: Any, set_limits: Any, values: Sequence[int]) -> None:
    """Scale an axis: from 0, or logarithmic if values differ by orders of magnitude."""
    if min(values) > 0 and max(values) > 10 * min(values):
        set_scale("log")
    else:
        set_limits(0)


def _drawable(value: float) -> float:
    """A value as a float; NaN for a value that is too large to draw."""
    return float(value) if value < LARGEST else float("nan")


def _svg(figure: Any) -> str:
    content = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # the browser's font may have it
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return content.getvalue()


_FINE = re.compile(r"-?\d+\.\d{3,}")


def inlined(svg: str, prefix: str, title: str | None = None) -> str:
    """An SVG as an element of a page: without name spaces and global style rules, with unique identifiers."""
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in [*parent]:
            if child.tag.rpartition("}")[2] in ("style", "metadata"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {key.rpartition("}")[2]: _own(key, value, prefix) for key, value in element.attrib.items()}
    root.attrib |= {"role": "img"}
    if title:
        root.attrib["aria-label"] = title
    return ElementTree.tostring(root, encoding="unicode")


def _own(key: str, value: str, prefix: str) -> str:
    name = key.rpartition("}")[2]
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    if name in ("d", "points"):  # rounds to hundredths of a pixel
        return _FINE.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), value)
    if name in ("style", "fill", "stroke", "clip-path", "class"):
        return value.replace("url(#", f"url(#{prefix}-").replace(INK, "currentColor")
    return value
