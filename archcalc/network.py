"""The result object: everything archcalc knows about one network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.summary import Counting, Layers, LayerSummary, Summary, Totals, summarize
from archcalc.errors import Diagnostic, Problem, SpecError, UsageError
from archcalc.graph import Graph
from archcalc.layers.base import Shape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from archcalc.analysis.counting import ConventionCount
    from archcalc.analysis.explanation import Explanation
    from archcalc.analysis.input_range import InputRanges
    from archcalc.analysis.largest_batch import LargestBatch
    from archcalc.analysis.memory import Memory
    from archcalc.analysis.neuron_field import NeuronField
    from archcalc.analysis.reconciliation import Reconciliation
    from archcalc.analysis.roofline import Roofline
    from archcalc.devices import Device
    from archcalc.numbers.bounds import Lower


class ShapeError(SpecError):
    """Layers do not fit together. `network` has the rows up to the first that does not."""

    def __init__(self, diagnostics: list[Diagnostic], network: "Network") -> None:
        super().__init__(diagnostics)
        self.network = network


class Network:
    """A network and its numbers. Each analysis runs when it is first asked for."""

    def __init__(self, graph: Graph, batch: int = 1) -> None:
        """Infer all shapes. Raises SpecError for what is wrong with the spec, ShapeError if layers alone do not fit."""
        self.graph = graph
        self.context = AnalysisContext(graph, batch)
        if graph.problems:
            raise graph.document.error([*graph.problems, *self.context.problems])
        if problems := self.context.problems or self._overwritten():
            raise ShapeError(graph.document.diagnostics(problems), self)

    def _overwritten(self) -> list[Problem]:
        """What layers must not overwrite; next to no network has layers that do."""
        if not any(node.layer.works_in_place for node in self.graph.nodes):
            return []
        from archcalc.analysis.in_place import check_in_place

        return check_in_place(self.context)

    @property
    def summary(self) -> Summary:
        """A row per layer, and totals."""
        return summarize(self.context)

    @property
    def name(self) -> str:
        """The network's name."""
        return self.graph.name

    @property
    def source(self) -> str | None:
        """Where it was published."""
        return self.graph.source

    @property
    def inputs(self) -> dict[str, Shape]:
        """The shape of every input, without the batch."""
        return self.summary.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the layers whose outputs the network gives."""
        return self.summary.outputs

    @property
    def batch(self) -> int:
        """Samples at once; operations are for all of them."""
        return self.context.batch

    @property
    def layers(self) -> Layers:
        """A row per layer, in an order in which each comes after what it reads; by number or by name."""
        return self.summary.layers

    def __getitem__(self, layer: str) -> LayerSummary:
        """The row of a layer by name. Raises UsageError if there is none of that name."""
        row: LayerSummary = self.layers[self.position(layer)]
        return row

    @property
    def totals(self) -> Totals:
        """Sums over all layers."""
        return self.summary.totals

    def collapsed(self, depth: int | None = None, counting: str | None = None) -> Summary:
        """The summary with blocks closed below `depth`; as it is for None.

        With `counting`, the name of a convention, its rows have a `count` and `activations`.
        """
        summary = self.summary
        if counting is not None:
            from archcalc.analysis.counting import find_convention

            convention = find_convention(counting)
            summary = summary.counted(Counting(convention, self.count(counting), self.count_activations(counting)))
        return summary.collapsed(self.graph, depth)

    def position(self, layer: str) -> int:
        """The place of a layer in `layers`. Raises UsageError if there is none of that name."""
        return self.graph.position(layer)

    def explain(self, layer: str | None = None) -> "Explanation":
        """How every number of a layer came about, by the formulas that made it.

        The numbers of a block, or without a name of the network, are sums of those of its parts. Raises UsageError for
        a name that is neither.
        """
        from archcalc.analysis.explain import explain
        from archcalc.analysis.explain_sums import explain_block, explain_network

        if layer is None:
            return explain_network(self.context)
        if layer in self.graph.block_outputs:
            return explain_block(self.context, layer)
        return explain(self.context, self.position(layer))

    def count(self, convention: str = "macs") -> "ConventionCount":
        """The operations of the network as a counting convention counts them, such as `"fvcore"`.

        `total` is the number, `layers` has it layer by layer, and `terms` add up to it, plain MACs first. Raises
        UsageError for a convention that does not exist.
        """
        from archcalc.analysis.counting import apply_convention, find_convention

        return apply_convention(self.context, find_convention(convention))

    def count_activations(self, convention: str = "macs") -> "ConventionCount":
        """What the layers give, as the activation count that goes with a convention has it, in its `unit`."""
        from archcalc.analysis.counting import apply_convention, find_convention

        return apply_convention(self.context, find_convention(convention).activations)

    def reconcile(self, target: str | None = None) -> "Reconciliation":
        """The network by every counting convention, plain MACs first.

        `target` is a figure such as `"4.1e9"`, of which the conventions are found that round to it. Raises UsageError
        for a figure that cannot be read.
        """
        from archcalc.analysis.conventions import CONVENTIONS
        from archcalc.analysis.reconciliation import Reconciliation
        from archcalc.numbers.figure import read_figure

        figure = None if target is None else read_figure(target)
        readings = {name: self.count(name) for name in CONVENTIONS}
        return Reconciliation(summary=self.summary, readings=readings, target=figure)

    def check(self, ignored: bool = False) -> list[Diagnostic]:
        """What is odd about the network; every finding has a code, a place, a reason and a remedy.

        What its spec ignores is left out, but with `ignored`.
        """
        from archcalc.analysis.lint import lint

        return lint(self.context, ignored)

    def check_budget(
        self, maximum: Mapping[str, int | str] | None = None, minimum: Mapping[str, int | str] | None = None
    ) -> list[Diagnostic]:
        """What breaks the spec's budget, with the layer that costs most; nothing if the network keeps to it.

        `maximum` and `minimum` are further limits, which replace the spec's: `{"parameters": "25.6M"}`. Raises
        UsageError for a quantity or an amount that makes no sense.
        """
        from archcalc.analysis.budget import check_budget, limits_of

        return check_budget(self.context, [*limits_of("max", maximum or {}), *limits_of("min", minimum or {})])

    def memory(
        self,
        dtype: str | None = None,
        training: bool = False,
        optimizer: str | None = None,
        batch: int | None = None,
    ) -> "Memory":
        """The bytes that a pass over a batch, by default the network's own, takes: by layer, and where it takes most.

        Inference, or with `training` a forward and a backward pass; then `optimizer` adds the state of "sgd",
        "momentum", "adam" or "adamw". `dtype` takes the place of that of all floating-point values. Raises UsageError
        for options that make no sense, and for a batch that PyTorch refuses to train.
        """
        from archcalc.analysis.memory import measure_memory

        return measure_memory(self.context, dtype, training, optimizer, batch)

    def largest_batch(
        self, limit: int | str, dtype: str | None = None, training: bool = False, optimizer: str | None = None
    ) -> "LargestBatch":
        """The largest batch whose peak is at most `limit`, in bytes or as text such as `"8GiB"`.

        Its `batch` is 0 if not even the smallest that PyTorch runs fits. Where the peak is a lower bound alone, no more
        than AtMost's value fits, and that may not. The options are those of `memory`. Raises UsageError for an amount
        that makes no sense, and for a network that PyTorch refuses to train at any batch.
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
        """Which sizes of its inputs the network takes, at which no stride leaves a remainder, and which it can use."""
        from archcalc.analysis.input_range import find_ranges

        return find_ranges(self.context)

    def roofline(self, device: "str | PathLike[str] | Device", dtype: str = "float32") -> "Roofline":
        """The least time of every layer on a device, in seconds, and whether memory or arithmetic bounds it.

        `device` is a name such as `"a100"` (`archcalc.devices.shipped_devices()` has all), a TOML file, or a Device.
        `dtype` takes the place of that of all floating-point values. Raises UsageError for a device or a dtype that
        does not exist, and SpecError for a file that is wrong.
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
        """What one unit of a layer sees of the input, position by position, and units of the layers before it.

        Without a layer it is the last with several units that see different parts, without a unit the middle one;
        `depth` folds blocks. `source` is the input, by default the first that the layer sees. Raises UsageError for a
        layer, a unit or an input that does not exist or has no positions.
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
        """The network, or one block of it, as a row of boxes, one for each map, to scale: the text of an SVG.

        `style` is color, paper or dark; `depth` folds blocks, 0 opens all, and by default they are folded where the
        row gets long. `legend` are the notes below. Raises UsageError for a network that is no row of maps.
        """
        from archcalc.diagram.volumes import volumes

        return volumes(self.context, style, depth, block=block, title=title, legend=legend)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, as `--format json` prints it."""
        return self.summary.to_dict()

    def to_source(self) -> str:
        """The network as the source text of a PyTorch module that needs nothing else.

        Its weights have the names and shapes of those of `archcalc.build`. Raises UsageError for a layer whose name a
        PyTorch module needs itself.
        """
        from archcalc.export.source import to_source

        return to_source(self.context)

    def to_dot(self, **look: Any) -> str:
        """The network as a diagram, in the language of Graphviz.

        `look` takes `depth` (blocks below it are closed; 0 opens all; by default as many as stay readable), `show`
        (names of more lines: `parameters`, `macs`, `receptive-field`, `memory`), `heat` (a colour for `parameters`,
        `macs`, `memory` or what `check` finds), `direction` (`TB` or `LR`), `style` (`color`, `paper` or `dark`),
        `every_copy` (draw each of several equal blocks in a row), `block` (the name of one that is drawn alone),
        `title` and `legend` (False for a picture without). Raises UsageError for what there is none of.
        """
        from archcalc.diagram.dot import to_dot
        from archcalc.diagram.look import look_of
        from archcalc.diagram.picture import draw

        return to_dot(draw(self.context, look_of(**look)))

    def to_svg(self, **look: Any) -> str:
        """The diagram as an SVG element, with the arguments of `to_dot`.

        It is laid out by the program `dot` if that is installed, or else by the Graphviz that comes with archcalc. It
        has no script and refers to nothing; the card of a layer has the class `layer-` and its position in `layers`.
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

    def __str__(self) -> str:
        return str(self.summary)

    def _repr_html_(self) -> str:
        """What a notebook shows: the table, and the diagram unless nothing can draw it."""
        try:
            diagram = self.to_svg()
        except UsageError:
            diagram = ""
        return f"{self.summary._repr_html_()}\n{diagram}"
