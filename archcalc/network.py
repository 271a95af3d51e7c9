"""The class of a loaded network, with a method for every analysis."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.summary import Counting, Layers, LayerSummary, Summary, Totals, TreeRow, summarize
from archcalc.errors import Diagnostic, Problem, SpecError, UsageError
from archcalc.graph import Graph
from archcalc.layers.base import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from archcalc.analysis.check_result import CheckResult
    from archcalc.analysis.counting import ConventionCount
    from archcalc.analysis.explanation import Explanation, Explanations
    from archcalc.analysis.input_range import InputRanges
    from archcalc.analysis.largest_batch import LargestBatch
    from archcalc.analysis.memory import Memory
    from archcalc.analysis.neuron_field import NeuronField
    from archcalc.analysis.reconciliation import Reconciliation
    from archcalc.analysis.roofline import Roofline
    from archcalc.devices import Device
    from archcalc.numbers.bounds import Lower


class ShapeError(SpecError):
    """Layers do not fit together. `network` has the rows up to the first layer that does not fit."""

    def __init__(self, diagnostics: list[Diagnostic], network: "Network") -> None:
        super().__init__(diagnostics)
        self.network = network


class Network:
    """A network and its analyses, each of which runs when it is first used."""

    def __init__(self, graph: Graph, batch: int = 1) -> None:
        """Infer all shapes. Raises SpecError for faults of the spec, and ShapeError if only shapes do not fit."""
        self.graph = graph
        self.context = AnalysisContext(graph, batch)
        if graph.problems:
            raise graph.document.error([*graph.problems, *self.context.problems])
        if problems := self.context.problems or self._overwritten():
            raise ShapeError(graph.document.diagnostics(problems), self)

    def _overwritten(self) -> list[Problem]:
        """Inputs that layers work on in place, but must not overwrite."""
        if not any(node.layer.works_in_place for node in self.graph.nodes):
            return []
        from archcalc.analysis.in_place import check_in_place

        return check_in_place(self.context)

    @property
    def summary(self) -> Summary:
        """The table of layers, and totals."""
        return summarize(self.context)

    @property
    def name(self) -> str:
        """The name of the network."""
        return self.graph.name

    @property
    def source(self) -> str | None:
        """The publication that the spec cites; None if it cites none."""
        return self.graph.source

    @property
    def inputs(self) -> dict[str, Shape]:
        """The shape of every input, without the batch axis."""
        return self.summary.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the network's output layers."""
        return self.summary.outputs

    @property
    def batch(self) -> int:
        """The number of samples in a batch; operations count all of them."""
        return self.context.batch

    @property
    def layers(self) -> Layers:
        """The rows of the layers in topological order; indexed by number or name."""
        return self.summary.layers

    def __getitem__(self, layer: str | int) -> LayerSummary:
        """The row of a layer by name or number. Raises UsageError if no layer has that name."""
        row: LayerSummary = self.layers[self.position(layer) if isinstance(layer, str) else layer]
        return row

    def __iter__(self) -> "Iterator[LayerSummary]":
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __contains__(self, layer: object) -> bool:
        return layer in self.graph.positions

    @property
    def totals(self) -> Totals:
        """Sums over all layers."""
        return self.summary.totals

    def collapsed(self, depth: int | None = None, counting: str | None = None) -> Summary:
        """The summary with blocks collapsed below `depth`; with all layers for None.

        With `counting`, the name of a counting convention, its rows have a `count` and `activations`.
        """
        summary = self.summary
        if counting is not None:
            from archcalc.analysis.counting import find_convention

            convention = find_convention(counting)
            summary = summary.counted(Counting(convention, self.count(counting), self.count_activations(counting)))
        return summary.collapsed(self.graph, depth)

    def tree(self, depth: int | None = None) -> tuple[TreeRow, ...]:
        """The rows of blocks and their layers, collapsed below `depth`; a table in a terminal shows them nested."""
        return self.collapsed(depth).nested(self.graph).tree

    def position(self, layer: str) -> int:
        """The index of a layer in `layers`. Raises UsageError if no layer has that name."""
        return self.graph.position(layer)

    def explain(self, layer: str | None = None) -> "Explanation":
        """Derive every number of a layer by the formulas that compute it.

        The numbers of a block, and of the network if `layer` is None, are sums over its parts. Raises UsageError for a
        name that is neither a layer nor a block.
        """
        from archcalc.analysis.explain import explain
        from archcalc.analysis.explain_sums import explain_block, explain_network

        if layer is None:
            return explain_network(self.context)
        if not isinstance(layer, str):
            raise UsageError(f"{layer!r} is not the name of a layer", "explanations() takes several names and patterns")
        if layer in self.graph.block_outputs:
            return explain_block(self.context, layer)
        return explain(self.context, self.position(layer))

    def explanations(self, *layers: str) -> "Explanations":
        """Explain several layers and blocks, by name or by a pattern such as `layer4.*`.

        Without names it explains all layers and the network. Raises UsageError for a name or pattern without a match.
        """
        from archcalc.analysis.explain_sums import explain_several

        return explain_several(self.context, layers)

    def count(self, convention: str = "macs") -> "ConventionCount":
        """The operations of the network by a counting convention such as `"fvcore"`.

        `total` is the count, `layers` the count of every layer, and `terms` add up to the total, plain MACs first.
        Raises UsageError for an unknown convention.
        """
        from archcalc.analysis.counting import apply_convention, find_convention

        return apply_convention(self.context, find_convention(convention))

    def count_activations(self, convention: str = "macs") -> "ConventionCount":
        """The activations of the network by the activation count of a counting convention, in its `unit`."""
        from archcalc.analysis.counting import apply_convention, find_convention

        return apply_convention(self.context, find_convention(convention).activations)

    def reconcile(self, target: str | None = None) -> "Reconciliation":
        """Count the network by every counting convention, plain MACs first.

        `target` is a figure such as `"4.1e9"`: the result tells which conventions round to it. Raises UsageError for a
        figure that cannot be read.
        """
        from archcalc.analysis.conventions import CONVENTIONS
        from archcalc.analysis.reconciliation import Reconciliation
        from archcalc.numbers.figure import read_figure

        figure = None if target is None else read_figure(target)
        counts = {name: self.count(name) for name in CONVENTIONS}
        return Reconciliation(summary=self.summary, counts=counts, target=figure)

    def check(self, ignored: bool = False) -> "CheckResult":
        """The findings of the lint rules, each with a code, a place, a reason and a remedy.

        With `ignored`, those that the spec ignores are included.
        """
        from archcalc.analysis.check_result import CheckResult
        from archcalc.analysis.lint import lint

        return CheckResult(diagnostics=tuple(lint(self.context, ignored)))

    def check_budget(
        self, maximum: Mapping[str, int | str] | None = None, minimum: Mapping[str, int | str] | None = None
    ) -> "CheckResult":
        """A finding for every limit of the budget that the network breaks, with the layer that costs most.

        `maximum` and `minimum` add limits to the spec's and replace them, as in `{"parameters": "25.6M"}`. Raises
        UsageError for an unknown quantity and an invalid amount.
        """
        from archcalc.analysis.budget import check_budget, limits_of
        from archcalc.analysis.check_result import CheckResult

        limits = [*limits_of("max", maximum or {}), *limits_of("min", minimum or {})]
        return CheckResult(diagnostics=tuple(check_budget(self.context, limits)))

    def memory(
        self,
        dtype: str | None = None,
        training: bool = False,
        optimizer: str | None = None,
        batch: int | None = None,
    ) -> "Memory":
        """The bytes of memory that one pass over a batch takes: after every layer, and at the peak.

        The pass is inference, or with `training` a forward and a backward pass; `optimizer` then adds the state of
        "sgd", "momentum", "adam" or "adamw". `batch` is the network's own by default. `dtype` replaces the dtype of
        floating-point values. Raises UsageError for invalid options, and for a batch that PyTorch refuses to train.
        """
        from archcalc.analysis.memory import measure_memory

        return measure_memory(self.context, dtype, training, optimizer, batch)

    def largest_batch(
        self, limit: int | str, dtype: str | None = None, training: bool = False, optimizer: str | None = None
    ) -> "LargestBatch":
        """The largest batch whose peak memory is at most `limit`, in bytes or as text such as `"8GiB"`.

        The result's `batch` is 0 if not even the smallest batch that PyTorch runs fits. It is AtMost if the peak is
        known only as a lower bound. The options are those of `memory`. Raises UsageError for an invalid amount, and for
        a network that PyTorch refuses to train at any batch.
        """
        from archcalc.analysis.largest_batch import LargestBatch, largest_batch
        from archcalc.analysis.least_batch import least_batch
        from archcalc.numbers.bounds import known
        from archcalc.quantities import BYTES, whole_amount

        bytes_at_most = limit if isinstance(limit, int) else whole_amount(limit, BYTES, "max")
        least = least_batch(self.context, training)

        def peak_at(size: int) -> "Lower[int]":
            return self.memory(dtype, training, optimizer, size).peak

        batch = largest_batch(bytes_at_most, peak_at, least)
        most = known(batch) or 0
        return LargestBatch(
            name=self.name,
            limit=bytes_at_most,
            batch=batch,
            least=least,
            peak=peak_at(most) if most else None,
            peak_of_next=peak_at(most + 1 if most else least),
        )

    def input_ranges(self) -> "InputRanges":
        """The input sizes that the network accepts, and those at which no stride leaves a remainder."""
        from archcalc.analysis.input_range import find_ranges

        return find_ranges(self.context)

    def roofline(self, device: "str | PathLike[str] | Device", dtype: str = "float32") -> "Roofline":
        """The least time of every layer on a device, in seconds, and whether memory or arithmetic limits it.

        `device` is a name such as `"a100"` (`archcalc.devices.shipped_devices()` has all), a TOML file, or a Device.
        `dtype` replaces the dtype of floating-point values. Raises UsageError for an unknown device or dtype, and
        SpecError for an invalid file.
        """
        from os import fspath

        from archcalc.analysis.roofline import make_roofline
        from archcalc.devices import Device, find_device

        found = device if isinstance(device, Device) else find_device(fspath(device))
        return make_roofline(self.context, found, dtype)

    def receptive_field(
        self,
        layer: str | None = None,
        unit: "Sequence[int] | None" = None,
        depth: int | None = None,
        source: str | None = None,
    ) -> "NeuronField":
        """The receptive field of one unit: the positions of the input, and the units of the layers before it.

        `layer` is by default the last one whose units have different fields, `unit` the middle one, and `source` the
        first input that the layer depends on. `depth` collapses blocks. Raises UsageError for a layer, a unit or an
        input that does not exist or has no positions.
        """
        from archcalc.analysis.neuron_field import find_neuron_field

        return find_neuron_field(self.context, None if layer is None else self.position(layer), unit, depth, source)

    def to_volumes_svg(
        self,
        style: str = "color",
        depth: int | None = None,
        *,
        block: str | None = None,
        title: bool = True,
        legend: bool = True,
    ) -> str:
        """The network, or one block, as a row of boxes, one for each map, to scale: the text of an SVG.

        `style` is color, paper or dark. `depth` collapses blocks, 0 opens all; by default blocks are collapsed if the
        row is too long. `legend` adds the notes below. Raises UsageError for a network that is no row of maps.
        """
        from archcalc.diagram.volumes import volumes

        return volumes(self.context, style, depth, block=block, title=title, legend=legend)

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain values, as `--format json` prints it."""
        return self.summary.to_dict()

    def to_source(self) -> str:
        """The network as the source text of a PyTorch module that needs nothing but PyTorch.

        Its weights have the same names and shapes as in the module of `archcalc.build`. Raises UsageError for a layer
        whose name is an attribute of every PyTorch module.
        """
        from archcalc.export.source import to_source

        return to_source(self.context)

    def to_dot(self, **look: Any) -> str:
        """The network as a diagram, as DOT source for Graphviz.

        `look` takes `depth` (blocks below it are collapsed; 0 opens all; by default as many as stay readable), `show`
        (quantities on the cards: `parameters`, `macs`, `receptive-field`, `memory`), `heat` (colours by `parameters`,
        `macs`, `memory` or findings of `check`), `direction` (`TB` or `LR`), `style` (`color`, `paper` or `dark`),
        `every_copy` (draw each of several equal blocks in a row), `block` (the name of the only block to draw),
        `title` and `legend` (False leaves them out). Raises UsageError for an unknown option or value.
        """
        from archcalc.diagram.dot import to_dot
        from archcalc.diagram.look import look_of
        from archcalc.diagram.picture import draw

        return to_dot(draw(self.context, look_of(**look)))

    def to_svg(self, **look: Any) -> str:
        """The diagram as an SVG element, with the arguments of `to_dot`.

        The program `dot` lays it out if it is installed, or else the Graphviz that comes with archcalc. The SVG has no
        script and no references to other files. The card of a layer has the class `layer-` and its index in `layers`.
        """
        from archcalc.diagram.draw import dot_program, to_svg
        from archcalc.diagram.look import look_of
        from archcalc.diagram.picture import draw

        return to_svg(draw(self.context, look_of(**look)), dot_program())

    def to_png(self, scale: float = 2.0, **look: Any) -> bytes:
        """The diagram as PNG, `scale` pixels for each of the SVG, with the arguments of `to_dot` besides.

        Raises UsageError, too, for a scale out of range, an image of more than 50 million pixels, and without the
        library that draws it.
        """
        from archcalc.diagram.image_files import svg_to_png

        return svg_to_png(self.to_svg(**look), scale)

    def to_pdf(self, **look: Any) -> bytes:
        """The diagram as PDF of one page, with the arguments of `to_dot`. Words are text, shapes are vectors.

        Raises UsageError, too, without the library that draws it (`pip install 'archcalc[pdf]'`).
        """
        from archcalc.diagram.image_files import svg_to_pdf

        return svg_to_pdf(self.to_svg(**look))

    def __repr__(self) -> str:
        return f"Network({self.name!r}, {len(self.graph.nodes)} layers, {self.totals.parameters:,} parameters)"

    def to_text(self, format_name: str = "plain") -> str:
        """The summary in a format of the command line: plain, table, markdown, latex, html, csv or json."""
        return self.summary.to_text(format_name)

    def to_dataframe(self) -> Any:
        """The rows of the layers as a data frame of pandas, or of polars if only that is installed."""
        return self.summary.to_dataframe()

    def __str__(self) -> str:
        return str(self.summary)

    def _repr_html_(self) -> str:
        """The table, and the diagram if it can be drawn, for a notebook."""
        try:
            diagram = self.to_svg()
        except UsageError:
            diagram = ""
        return f"{self.summary._repr_html_()}\n{diagram}"
