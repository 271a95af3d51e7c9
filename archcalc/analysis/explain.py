"""Explains every number of a layer: runs the same formulas on numbers that record their derivation."""

from collections.abc import Iterable, Iterator
from typing import Any

from archcalc.analysis.axis_field import AxisField, Shared
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.explanation import Derivation, Explanation, Section
from archcalc.analysis.receptive_field import Field
from archcalc.arithmetic import Window, field_size, product
from archcalc.errors import printable, quoted
from archcalc.layers.base import AXIS_NAMES, Layer, Shape, Tensor, Tensors
from archcalc.layers.sliding import trace_window
from archcalc.numbers.bounds import Unknown
from archcalc.tracing import Traced, plain, untraced

# The literature's symbols for the fields in formulas; other fields stay plain numbers.
SYMBOLS = {
    "out_channels": "K",
    "out_features": "K",
    "kernel_size": "F",
    "stride": "S",
    "padding": "P",
    "dilation": "D",
    "groups": "G",
    "output_padding": "A",
    "output_size": "M",
    "num_groups": "G",
    "num_heads": "h",
    "num_embeddings": "V",
    "embedding_dim": "d",
    "num_parameters": "a",
    "upscale_factor": "r",
    "scale_factor": "r",
    "size": "n",
}

FIELD_NAMES = {1: ("position",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def explain(context: AnalysisContext, position: int) -> Explanation:
    """Explain the layer at a position of the graph."""
    graph = context.graph
    node = graph.nodes[position]
    inputs, output = context.tensors_at(position)
    layer, traced = trace_layer(node.layer), trace_inputs(inputs, node.layer)
    names = context.graph.edge_names
    owner = None if node.owner is None else graph.nodes[node.owner].name
    sections = (
        _shape_section(node.layer, layer, inputs, traced),
        _parameter_section("parameters", layer.parameters(traced), owner),
        _parameter_section("buffers", layer.buffers(traced), owner),
        _operation_section(layer, traced, output, context.batch),
        _connection_section(layer, traced, output),
        _field_section(context, position),
    )
    return Explanation(
        name=node.name,
        type=node.layer.type,
        summary=(type(node.layer).__doc__ or "").partition("\n")[0].replace("`", ""),
        inputs={names[source]: tensor.shape for source, tensor in zip(node.sources, inputs, strict=True)},
        output_shape=output.shape,
        sections=tuple(section for section in sections if section.steps or section.notes),
    )


# the layer in tracing numbers


def trace_layer(layer: Layer) -> Layer:
    """The layer with tracing numbers in the fields that formulas use."""
    fields = {name: getattr(layer, name) for name in layer.__struct_fields__}
    # Direct construction does not validate, so other numbers than ints are possible.
    return type(layer)(**{name: _traced(value, SYMBOLS.get(name)) for name, value in fields.items()})


def _traced(value: Any, symbol: str | None) -> Any:
    if symbol is None or isinstance(value, bool | str | None):
        return value
    if isinstance(value, tuple):
        return tuple(_traced_ends(item, symbol) if isinstance(item, tuple) else _traced(item, symbol) for item in value)
    return Traced(value, symbol)


def _traced_ends(ends: tuple[int, ...], symbol: str) -> tuple[Traced, Traced]:
    """The padding at the two ends of an axis: P and P′, or P twice."""
    before, after = ends
    first = Traced(before, symbol)
    return first, first if before == after else Traced(after, f"{symbol}′")


def trace_inputs(inputs: Tensors, layer: Layer) -> Tensors:
    """The inputs with tracing numbers for sizes: C for channels, N for the positions of each axis."""
    return tuple(
        Tensor(
            tuple(Traced(size, _size_symbol(axis, len(tensor.shape), layer)) for axis, size in enumerate(tensor.shape)),
            tensor.dtype,
            _traced_nonzeros(tensor.nonzeros),
        )
        for tensor in inputs
    )


def _traced_nonzeros(nonzeros: int | Unknown | None) -> Any:
    return nonzeros if isinstance(nonzeros, Unknown | None) else Traced(nonzeros, "nonzeros")


def _size_symbol(axis: int, rank: int, layer: Layer) -> str:
    channel_axis = (layer.channel_axis or 0) % rank
    return "C" if axis == channel_axis else "N"


def trace_output(output: Tensor, layer: Layer) -> Shape:
    """The output's sizes as tracing numbers: K for channels, M for the positions of each axis."""
    rank = len(output.shape)
    symbols = {"C": "K", "N": "M"}
    return tuple(Traced(size, symbols[_size_symbol(axis, rank, layer)]) for axis, size in enumerate(output.shape))


def _step(label: str, number: Any) -> Derivation:
    if isinstance(number, Traced):
        return Derivation(label, number.symbolic(), number.substituted(), number.value)
    return Derivation(label, plain(number), plain(number), number)


def _with_intermediates(label: str, number: Any) -> Iterator[Derivation]:
    """The steps to a number, intermediate results first."""
    if isinstance(number, Traced):
        for found in number.intermediates():
            yield _step(found.symbol, found.operands[0])
    yield _step(label, number)


def _unique(steps: Iterable[Derivation]) -> tuple[Derivation, ...]:
    return tuple(dict.fromkeys(steps))


# sections


def _shape_section(layer: Layer, traced_layer: Layer, inputs: Tensors, traced: Tensors) -> Section:
    shape = traced_layer.output_shape(traced)
    labels = _axis_labels(layer, len(shape))
    steps = (step for label, size in zip(labels, shape, strict=True) for step in _with_intermediates(label, size))
    return Section("output shape", _unique(steps), tuple(_unread(layer, inputs, tuple(map(untraced, shape)))))


def _axis_labels(layer: Layer, rank: int) -> tuple[str, ...]:
    if layer.channel_axis == -1 and rank == 2:
        return ("rows", "features")
    return AXIS_NAMES.get(rank, tuple(f"axis {axis}" for axis in range(rank)))


def _unread(layer: Layer, inputs: Tensors, output: Shape) -> Iterator[str]:
    """Notes about positions at the end that no window reads, because the formula rounds down."""
    labels = _axis_labels(layer, len(output))
    for axis, window in layer.windows(inputs).items():
        size = inputs[0].shape[axis]
        if unread := window.unread(size, output[axis]):
            verb = "is" if unread == 1 else "are"
            yield f"{labels[axis]}: {unread} of {size} positions, at the end, {verb} never read"


def _parameter_section(title: str, shapes: dict[str, Shape], owner: str | None) -> Section:
    if owner is not None and shapes:
        return Section(title, (), (f"shared with {quoted(owner)}, and counted there",))
    steps = [step for name, shape in shapes.items() for step in _with_intermediates(name, product(shape))]
    counts = [product(map(untraced, shape)) for shape in shapes.values()]
    if len(counts) > 1:
        steps.append(Derivation("together", " + ".join(shapes), " + ".join(map(plain, counts)), sum(counts)))
    if title == "parameters" and (textbook := _textbook(shapes)):
        steps.append(textbook)
    return Section(title, _unique(steps))


def _textbook(shapes: dict[str, Shape]) -> Derivation | None:
    """Weight and bias together in the form of textbooks: (F·F·C + 1)·K."""
    if set(shapes) != {"weight", "bias"} or len(shapes["weight"]) < 2 or shapes["weight"][0] is not shapes["bias"][0]:
        return None
    maps, channels, *kernel = shapes["weight"]
    return _step("textbook form", (product((*kernel, channels)) + 1) * maps)


def _operation_section(layer: Layer, traced: Tensors, output: Tensor, batch: int) -> Section:
    shape = trace_output(output, layer)
    steps = [*_product_steps(layer, traced, shape)]
    notes: list[str] = []
    for kind, count in layer.operations(traced, shape).items():
        if isinstance(count, Unknown):
            notes.append(f"{kind}: unknown, because {count.reason}")
        else:
            whole = Traced(batch, "batch") * count if batch > 1 else count
            steps.extend(_with_intermediates(_operation_label(layer, kind), whole))
    return Section("operations", _unique(steps), tuple(notes))


def _operation_label(layer: Layer, kind: str) -> str:
    """A kind of operations, with their purpose in a layer that computes several things."""
    name = kind.replace("_", " ")
    return f"{name} ({layer.operation_names[kind]})" if kind in layer.operation_names else name


def _product_steps(layer: Layer, traced: Tensors, output: Shape) -> Iterator[Derivation]:
    """The MACs of each product in a layer with several products, such as scores and weighted sum."""
    products = layer.products(traced, output)
    if len(products) > 1:
        yield from (_step(product.name, product.macs) for product in products if not isinstance(product.macs, Unknown))


def _connection_section(layer: Layer, traced: Tensors, output: Tensor) -> Section:
    count = layer.count_connections(traced, trace_output(output, layer))
    if isinstance(count, Unknown) or untraced(count) == 0:
        return Section("connections", ())
    return Section("connections", (_step("connections", count),))


def _field_section(context: AnalysisContext, position: int) -> Section:
    fields = context.receptive_fields.edges
    node = context.graph.nodes[position]
    after = fields[context.graph.edge(position)]
    if isinstance(after, Unknown):
        return Section("receptive field", (), (f"unknown, because {after.reason}",))
    if after is None:
        return Section("receptive field", (), ("none: the input has no spatial axis",))
    before = fields[node.sources[0]]
    known: tuple[AxisField | None, ...] = (None,) * len(after.axes)
    if isinstance(before, Field) and (before.source, before.places) == (after.source, after.places):
        known = before.axes
    reads = context.layer_at(position).dependencies[0]
    labels = FIELD_NAMES.get(len(after.axes), ("axis",) * len(after.axes))
    steps: list[Derivation] = []
    for label, one, axis in zip(labels, known, after.axes, strict=True):
        steps.extend(_field_steps(label, one, axis, reads[one.axis].window if one and reads else None))
        if axis.shared:
            steps.append(_global_step(label, axis.shared))
    unit = "hops" if any(axis.hops for axis in after.axes) else "input positions"
    return Section("receptive field", tuple(steps), (f"in {unit}", *_field_notes(context, after, labels)))


def _field_notes(context: AnalysisContext, field: Field, labels: tuple[str, ...]) -> Iterator[str]:
    holes = [label for label, axis in zip(labels, field.axes, strict=True) if axis.holes]
    if holes:
        yield f"with holes along {' and '.join(holes)}: a unit does not see every position from the first to the last"
    if any(axis.shared for axis in field.axes):
        origin = context.graph.edge_names[min(axis.shared.origin for axis in field.axes if axis.shared)]
        yield f"for paths that keep positions; global is what all units also see, from {printable(origin)} on"


def _global_step(label: str, shared: Shared) -> Derivation:
    """The size of the span that all units share."""
    first, last, _ = shared.span
    return Derivation(
        f"{label}: global", "last − first + 1", f"{plain(last)} − {_in_brackets(first)} + 1", int(last - first + 1)
    )


def _in_brackets(number: float) -> str:
    return f"({plain(number)})" if number < 0 else plain(number)


def _field_steps(label: str, before: AxisField | None, after: AxisField, window: Any) -> Iterator[Derivation]:
    """Size, jump and centre along one axis; derived by formulas if one window made them, else as plain numbers."""
    size = jump = None
    if (
        before
        and before.size
        and before.advance
        and isinstance(window, Window)
        and before.period == after.period == 1
        and not after.hops
    ):
        traced, step = trace_window(window), Traced(before.advance, "j")
        # A window of stride 0 reads all units.
        kernel = traced.effective if window.stride else Traced(before.extent, "n")
        size = field_size(Traced(before.size, "r"), kernel, step)
        jump = step * traced.stride
    yield _size_step(f"{label}: size", size, after)
    yield _checked(f"{label}: jump", jump, after.jump)
    if after.center is None:
        yield Derivation(f"{label}: center", "", "", "none: the first unit sees nothing")
        return
    ends = f"({plain(after.first[0])} + {plain(after.last[0])})/2"
    yield Derivation(f"{label}: center", "(first + last)/2", ends, after.center)


def _size_step(label: str, derived: Traced | None, field: AxisField) -> Derivation:
    if field.size is None:
        return _checked(label, None, "none: no unit sees anything")
    if field.period == 1 or field.hops:
        return _checked(label, derived, field.size)
    first, last = max(zip(field.first, field.last, strict=True), key=lambda ends: ends[1] - ends[0])
    written = f"{plain(last)} − {_in_brackets(first)} + 1"
    return Derivation(label, "last − first + 1", written, field.size)  # for the phase with the largest field


def _checked(label: str, derived: Traced | None, value: Any) -> Derivation:
    """The derivation if it yields the value, else the plain value; a union of branches has no derivation."""
    if derived is not None and derived.value == value:
        return _step(label, derived)
    return Derivation(label, plain(value), plain(value), value)
