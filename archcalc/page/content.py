"""The content of a page about one network, as values for its template."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from os.path import basename
from typing import Any, NamedTuple
from xml.etree import ElementTree

from msgspec import structs

from archcalc.analysis.field import Marked, field_notes
from archcalc.analysis.memory import LayerMemory, Memory
from archcalc.analysis.memory_document import peak_place
from archcalc.analysis.reconciliation import Reconciliation, signed
from archcalc.analysis.summary import LayerSummary
from archcalc.analysis.summary_document import COLUMNS, unknown_reasons, value_of
from archcalc.diagram.draw import dot_program, to_svg
from archcalc.diagram.look import look_of
from archcalc.diagram.picture import draw
from archcalc.errors import SHOWN as SHOWN_FINDINGS
from archcalc.errors import Diagnostic, UsageError
from archcalc.network import Network
from archcalc.numbers.bounds import AtLeast, known, value_text
from archcalc.numbers.units import mebibytes
from archcalc.page.plots import inlined, plot_depth
from archcalc.render.words import inputs_text, local_name
from archcalc.spec.expanded import Instance

SHOWN = ("output_shape", "parameters", "macs", "receptive_field", "jump")
HEADERS = ("Layer", "Type", *(COLUMNS[name].header for name in SHOWN), "Values", "Memory")
MOST_BYTES = 700_000  # of explanations on one page
MOST_ROWS = 1200  # of all tables of a page
MOST_LETTERS = 400_000  # of the names in all tables
MOST_LAYERS = 20_000  # of all networks; a page leaves out more of larger ones
MOST_COLLAPSED = 200_000  # layers times depths at which blocks have rows
PAGE_BYTES = 1_900_000  # of drawings, rows and explanations
ROW_BYTES = 600  # of a layer in a table with its share of the blocks, approximately
WIDE = 700  # pixels; a wider diagram has no room beside a table


class Allowance:
    """The rows, letters of names and bytes of explanations that a page still has room for."""

    def __init__(self, pictures: Iterable["Pictures"], layers: int) -> None:
        drawn = sum(len(found.diagram) + len(found.plots) for found in pictures)
        self.rows, self.letters = MOST_ROWS, MOST_LETTERS
        self.is_large = layers > MOST_LAYERS
        self.bytes = min(MOST_BYTES, PAGE_BYTES - drawn - ROW_BYTES * min(layers, MOST_ROWS))

    def select_layers(self, network: Network) -> list[LayerSummary]:
        """The first layers whose rows and names, with the names of their blocks, have room on the page."""
        nodes = network.graph.nodes[: max(self.rows, 0)]
        names = (len(node.name) + sum(len(block.name) for block in node.instances) for node in nodes)
        used = [letters for letters in accumulate(names) if letters <= self.letters]
        self.rows -= len(used)
        self.letters -= max(used, default=0)
        return list(network.layers[: len(used)])

    def explanation(self, network: Network, layer: str) -> str | None:
        """The explanation of a layer; None if the page has no room for it."""
        if self.bytes <= 0:
            return None
        explained = str(network.explain(layer))
        self.bytes -= len(explained.encode())
        return explained if self.bytes > 0 else None


class SortableCell(NamedTuple):
    """The text of a cell. `order` is its sort key; None for text and unknown values."""

    text: str
    order: float | None = None


class LayerRow(NamedTuple):
    """A layer, or a block with the rows of its layers. `positions` are positions in the graph, with spaces."""

    name: str
    type: str
    positions: str
    around: str  # the prefix of the name that names the blocks around it
    cells: tuple[SortableCell, ...]
    explanation: str | None
    rows: "tuple[LayerRow, ...]" = ()


class Pictures(NamedTuple):
    """The drawings of a network, as SVG elements. `diagram` is empty if it would be too large.

    `width` is the width of the diagram in pixels. `collapsed` says what is collapsed, or why there is no diagram.
    """

    diagram: str
    width: float
    collapsed: str | None
    plots: str

    @property
    def is_wide(self) -> bool:
        """Whether the diagram has no room beside the table."""
        return self.width > WIDE


class NetworkSection(NamedTuple):
    """The section of one network. `cut` counts the layers without a row, `unexplained` the rows without an explanation.

    A large network has no diagram, memory, findings or conventions.
    """

    title: str
    label: str
    number: int
    source: str | None
    totals: tuple[tuple[str, str], ...]
    pictures: Pictures
    headers: tuple[str, ...]
    rows: tuple[LayerRow, ...]
    cut: int
    unexplained: int
    reasons: tuple[str, ...]
    is_large: bool
    findings: tuple[Diagnostic, ...]
    more_findings: int
    conventions: tuple[tuple[str, str, str, str], ...]


def is_large(networks: Collection[Network]) -> bool:
    """Whether a page leaves out what takes long or needs much memory."""
    return sum(len(network.graph.nodes) for network in networks) > MOST_LAYERS


def depict(network: Network, number: int, large: bool = False) -> Pictures:
    """Draw a network. `number` makes the identifiers of the drawings unique on the page."""
    plots = plot_depth(network, f"plot-{number}", None if large else network.memory())
    if large:
        return Pictures("", 0, None, plots)
    try:
        picture = draw(network.context, look_of())
    except UsageError as error:
        return Pictures("", 0, str(error), plots)
    svg = to_svg(picture, dot_program())
    width = float(ElementTree.fromstring(svg).attrib["width"])
    return Pictures(inlined(svg, f"network-{number}"), width, picture.collapsed, plots)


def describe(network: Network, label: str, number: int, pictures: Pictures, allowance: Allowance) -> NetworkSection:
    """Make the section of a network."""
    large = allowance.is_large
    memory = None if large else network.memory()
    layers = allowance.select_layers(network)
    findings = () if large else network.check().diagnostics
    rows = [_row(network, memory, place, row, allowance) for place, row in enumerate(layers)]
    return NetworkSection(
        title=network.name,
        label=label,
        number=number,
        source=network.source,
        totals=tuple(_totals(network, memory)),
        pictures=pictures,
        headers=HEADERS,
        rows=tuple(_Blocks(network, memory).rows(rows)),
        cut=len(network.layers) - len(rows),
        unexplained=sum(row.explanation is None for row in rows),
        reasons=(*field_notes((row.name, row.receptive_field) for row in layers), *unknown_reasons(network.summary)),
        is_large=large,
        findings=tuple(map(_in_its_file, findings[:SHOWN_FINDINGS])),
        more_findings=max(len(findings) - SHOWN_FINDINGS, 0),
        conventions=() if large else tuple(_conventions(network.reconcile())),
    )


def _in_its_file(found: Diagnostic) -> Diagnostic:
    """The finding with the file name of the spec; readers of the page have no use for its folder."""
    return structs.replace(found, place=structs.replace(found.place, source=basename(found.place.source)))


def _totals(network: Network, memory: Memory | None) -> Iterator[tuple[str, str]]:
    totals = network.totals
    frozen = f" ({totals.frozen_parameters:,} frozen)" if totals.frozen_parameters else ""
    yield "Input", inputs_text(network.inputs)
    yield "Batch", f"{network.batch:,}"
    yield "Layers", f"{len(network.layers):,}"
    yield "Parameters", f"{totals.parameters:,}{frozen}"
    yield "Buffers", f"{totals.buffers:,}"
    for name, value in (("MACs", totals.macs), ("FLOPs", totals.flops)):
        yield name, value_text(value)
    if memory:
        yield "Weights and buffers", mebibytes(memory.fixed)
        yield "Values at the peak", value_text(memory.activations, mebibytes)
        yield "Peak of memory", f"{value_text(memory.peak, mebibytes)}, {peak_place(memory)}"


def _row(network: Network, memory: Memory | None, place: int, row: LayerSummary, allowance: Allowance) -> LayerRow:
    explanation = allowance.explanation(network, row.name)
    cells = _cells(row, memory, memory.layers[place] if memory else None)
    instances = network.graph.nodes[place].instances
    return LayerRow(
        name=row.name,
        type=row.type,
        positions=str(place),
        around=_around(row.name, instances),
        cells=cells,
        explanation=explanation,
    )


def _around(name: str, instances: Sequence[Instance]) -> str:
    """The prefix of a name that names its block."""
    return name.removesuffix(local_name(name, f"{instances[-1].name}.")) if instances else ""


def _cells(row: LayerSummary, memory: Memory | None, alive: LayerMemory | None) -> tuple[SortableCell, ...]:
    cells = [SortableCell(value_of(COLUMNS[name], row), _order(COLUMNS[name].value(row))) for name in SHOWN]
    if memory is None or alive is None:
        return *cells, SortableCell("?"), SortableCell("?")
    sizes = memory.values_alive(alive), alive.live
    return *cells, *(SortableCell(value_text(size, mebibytes), known(size)) for size in sizes)


def _order(value: Any) -> float | None:
    """The sort key of a value; shapes, fields and jumps are sorted by their product."""
    if not isinstance(value, tuple):
        return known(value) if isinstance(value, int | AtLeast) else None
    if isinstance(value, Marked):
        value = value.sizes
    product: Fraction | int = 1
    for size in value:
        if size is None:
            return None
        product *= Fraction(size)
    return int(product) if product == int(product) else float(product)


class _Blocks:
    """Nests the rows of layers in the rows of their blocks."""

    def __init__(self, network: Network, memory: Memory | None) -> None:
        self.network, self.memory = network, memory
        self.depth = MOST_COLLAPSED // max(1, len(network.layers)) if memory else 0  # deeper blocks have no rows
        self.levels: dict[int, tuple[dict[str, LayerSummary], dict[str, LayerMemory]]] = {}

    def _collapsed(self, level: int) -> tuple[dict[str, LayerSummary], dict[str, LayerMemory]]:
        """The rows of the blocks at a level of nesting, 0 for the outermost, by name."""
        if level not in self.levels:
            assert self.memory  # without memory there are no rows of blocks
            layers = self.memory.collapsed(self.network.graph, level + 1).layers
            summary = self.network.collapsed(level + 1)
            self.levels[level] = {row.name: row for row in summary.layers}, {row.name: row for row in layers}
        return self.levels[level]

    def rows(self, found: list[LayerRow], level: int = 0) -> Iterator[LayerRow]:
        """Nest rows of layers in the rows of blocks from a level on, 0 for the outermost."""
        if level >= self.depth:
            yield from found
            return
        blocks: dict[str, list[LayerRow]] = {}
        for row in found:
            instances = self.network.graph.nodes[int(row.positions)].instances
            blocks.setdefault(instances[level].name if len(instances) > level else row.name, []).append(row)
        for name, inside in blocks.items():
            if [row.name for row in inside] == [name]:
                yield inside[0]
                continue
            summaries, layers = self._collapsed(level)
            yield LayerRow(
                name=name,
                type=summaries[name].type,
                positions=" ".join(row.positions for row in inside),
                around=_around(name, self.network.graph.nodes[int(inside[0].positions)].instances[:level]),
                cells=_cells(summaries[name], self.memory, layers[name]),
                explanation=None,
                rows=tuple(self.rows(inside, level + 1)),
            )


def _conventions(found: Reconciliation) -> Iterator[tuple[str, str, str, str]]:
    """Name, total and unit of each convention, and its terms beside plain MACs."""
    for name, count in found.counts.items():
        terms = [f"{signed(term)} {term.label}" for term in count.terms[1:] if term.value != 0]
        yield name, value_text(count.total), count.unit, "; ".join(terms)
