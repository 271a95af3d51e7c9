"""What is odd about a network: the checks behind `archcalc check`.

A check is one function with a code and a name; `RULES` lists them. It knows layers by their class facts alone. What it
finds in several copies of a layer, with the same numbers, is one finding.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.explain import AXIS_NAMES
from archcalc.analysis.receptive_field import Field
from archcalc.analysis.shapes import find_misfits
from archcalc.arithmetic import Window, ceil_divide, product
from archcalc.errors import Diagnostic, Path, Problem, UsageError, did_you_mean, quoted
from archcalc.graph import Node
from archcalc.layers.base import Layer, Read, Shape, Tensor, Tensors, Unknown, resolve_axis, size_text
from archcalc.layers.sliding import trace_window
from archcalc.tracing import Traced


class Finding(NamedTuple):
    """Something odd, and the layers (or inputs) it is odd about; their names are no part of the message."""

    names: tuple[str, ...]
    message: str
    path: Path
    reason: str
    help: str
    kind: str = "layer"


Check = Callable[[AnalysedGraph], Iterator[Finding]]


class Rule(NamedTuple):
    """A check: its code, its name, what it looks for in a sentence, and the function."""

    code: str
    name: str
    summary: str
    check: Check


RULES: list[Rule] = []


def _rule(code: str, name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        RULES.append(Rule(code, name, check.__doc__ or "", check))
        return check

    return register


def lint(network: AnalysedGraph) -> list[Diagnostic]:
    """Everything odd about a network, by code."""
    problems = [problem for rule in RULES for problem in _merged(rule.code, rule.check(network))]
    return network.graph.document.diagnostics(problems, "warning") if problems else []


def select(
    diagnostics: Iterable[Diagnostic], select: Sequence[str] = (), ignore: Sequence[str] = ()
) -> list[Diagnostic]:
    """The findings that `select` names (all, if it names none) and `ignore` does not.

    Each word is a code (`W101`), the beginning of one (`W`), or a check's name (`dropped-pixels`). Raises UsageError
    for any other.
    """
    wanted = {code for word in select for code in _codes(word)} if select else {rule.code for rule in RULES}
    wanted -= {code for word in ignore for code in _codes(word)}
    return [diagnostic for diagnostic in diagnostics if diagnostic.code in wanted]


def _codes(word: str) -> list[str]:
    found = [rule.code for rule in RULES if word == rule.name or (word and rule.code.startswith(word))]
    if not found:
        known = [word for rule in RULES for word in (rule.code, rule.name)]
        raise UsageError(f"no check is called {quoted(word)}; {did_you_mean(word, known)}")
    return found


def _merged(code: str, findings: Iterable[Finding]) -> Iterator[Problem]:
    """A problem for all findings that differ in nothing but the layers."""
    names: defaultdict[Finding, list[str]] = defaultdict(list)
    for finding in findings:
        names[finding._replace(names=())].extend(finding.names)
    for finding, found in names.items():
        message = f"{finding.message}: {_listed(finding.kind, found)}"
        yield Problem(message, finding.path, finding.reason, finding.help, code)


def _listed(kind: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{kind} {quoted(names[0])}"
    shown = [quoted(name) for name in names[: 3 if len(names) == 3 else 2]]
    last = f"{len(names) - 2:,} more" if len(names) > 3 else shown.pop()
    return f"{kind}s {', '.join(shown)} and {last}"


# what checks look at


class Step(NamedTuple):
    """A layer with what it gets and gives; `edge` is the number of its output."""

    edge: int
    node: Node
    inputs: Tensors
    output: Tensor


class Sliding(NamedTuple):
    """A layer's window along those of its axes that are all alike."""

    step: Step
    window: Window
    size: int
    units: int  # of the output
    axes: tuple[int, ...]
    windows: dict[int, Window]  # of all axes

    @property
    def unit(self) -> str:
        return "pixel" if len(self.windows) == 2 else "position"

    @property
    def along(self) -> str:
        """The axes by name; empty where all are meant."""
        if len(self.axes) == len(self.windows):
            return ""
        names = AXIS_NAMES[len(self.windows) + 1]
        return f" along the {' and '.join(names[axis] for axis in self.axes)}"

    @property
    def where(self) -> str:
        """The axes by name, or that it is the same on all of them."""
        return self.along or (" per axis" if len(self.axes) > 1 else "")


def _steps(network: AnalysedGraph) -> Iterator[Step]:
    for position, node in enumerate(network.graph.nodes[: network.fitting]):
        yield Step(network.edge(position), node, *network.tensors_at(position))


def _sliding(step: Step, windows: dict[int, Window]) -> Iterator[Sliding]:
    alike: defaultdict[tuple[Window, int, int], list[int]] = defaultdict(list)
    for axis, window in windows.items():
        alike[window, step.inputs[0].shape[axis], step.output.shape[axis]].append(axis)
    for (window, size, units), axes in alike.items():
        yield Sliding(step, window, size, units, tuple(axes), windows)


def _windows(network: AnalysedGraph) -> Iterator[Sliding]:
    for step in _steps(network):
        yield from _sliding(step, step.node.layer.windows(step.inputs))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _stride_path(node: Node) -> Path:
    """Where the stride is said; a pooling that says none takes its kernel's size."""
    return (*node.path, "kernel_size" if getattr(node.layer, "stride", None) is None else "stride")


def _written(number: Traced) -> str:
    """A derivation, with those of the intermediate results in it."""
    steps = [f"{step.symbol} = {step.operands[0]!r}" for step in number.intermediates()]
    return ", ".join([repr(number), *steps])


# windows


@_rule("W101", "dropped-pixels")
def _find_dropped(network: AnalysedGraph) -> Iterator[Finding]:
    """A stride drops positions at the end of the input that no window reads."""
    for sliding in _windows(network):
        window, size = sliding.window, sliding.size
        unread = window.unread(size, sliding.units)
        # As much as that is missing between any two windows, and is another check's.
        usual = max(window.stride - window.effective, 0) if sliding.units > 1 else 0
        if unread <= usual:
            continue
        verb = "is" if unread == 1 else "are"
        shape = size_text(sliding.step.inputs[0].shape[1:])
        message = f"{_counted(unread, sliding.unit)}{sliding.where} {verb} never read at the end of {shape}"
        reason = _written(trace_window(window).remainder(Traced(size, "N")))
        reason += f", of which {window.after} padding" if window.after else ""
        node = sliding.step.node
        yield Finding((node.name,), message, _stride_path(node), reason, _exact_fits(sliding))


def _exact_fits(sliding: Sliding) -> str:
    """The sizes next to a layer's, and the paddings of it, that leave no remainder."""
    window, layer = sliding.window, sliding.step.node.layer
    below = sliding.size - window.remainder(sliding.size)
    above = below + window.stride
    fits = f"size {above}{sliding.along} fits" if below < 1 else f"sizes {below} and {above}{sliding.along} fit"
    fields = layer.__struct_fields__
    if "padding" in fields:
        padding = _exact_padding(sliding)
        fits += " exactly; no symmetric padding does" if padding is None else f" exactly, and so does padding {padding}"
    else:
        fits += " exactly"
    if "ceil_mode" in fields and not getattr(layer, "ceil_mode"):  # noqa: B009  # a fact of some layers only
        fits += f"; ceil_mode = true reads every {sliding.unit}"
    return fits


def _exact_padding(sliding: Sliding) -> int | None:
    """The smallest padding, the same at both ends, that leaves no remainder, if the layer may have one."""
    window, size, inputs = sliding.window, sliding.size, sliding.step.inputs
    missing = window.effective - size
    both = missing if missing > 0 else missing % window.stride
    if both % 2:
        both += window.stride
    if both % 2:
        return None
    padding = both // 2
    all_axes = {axis: (other.before, other.after) for axis, other in sliding.windows.items()}
    all_axes |= dict.fromkeys(sliding.axes, (padding, padding))
    padded = replace(sliding.step.node.layer, padding=tuple(all_axes.values()))
    return None if any(find_misfits(padded, inputs)) else padding


@_rule("W102", "skipped-pixels")
def _find_skipped(network: AnalysedGraph) -> Iterator[Finding]:
    """Windows are so far apart, or so sparse, that positions between them are never read."""
    for sliding in _windows(network):
        window = sliding.window
        if sliding.units == 1 or not window.skipped:
            continue
        message = f"{window.skipped} of every {_counted(window.stride, sliding.unit)}{sliding.where}"
        message += f" {'is' if window.skipped == 1 else 'are'} never read"
        reason = repr(trace_window(window).skipped)
        if len(sliding.windows) > 1:
            cell = product(other.stride for other in sliding.windows.values())
            read = product(other.stride - other.skipped for other in sliding.windows.values())
            reason += f"; on all axes together {cell - read} of {cell}"
        node = sliding.step.node
        yield Finding((node.name,), message, _stride_path(node), reason, _denser(window))


def _denser(window: Window) -> str:
    remedies = [f"kernel_size ≥ {window.stride}"] if window.kernel < window.stride else []
    if math.gcd(window.dilation, window.stride) > 1:
        remedies.append("a dilation that shares no factor with the stride")
    return f"use {' and '.join(remedies)}; or average pooling of stride {window.stride}, and stride 1 here"


@_rule("W103", "even-kernel")
def _find_even_kernels(network: AnalysedGraph) -> Iterator[Finding]:
    """An even kernel with the same padding at both ends makes the output one larger or smaller than the stride says."""
    for sliding in _windows(network):
        window, size, units = sliding.window, sliding.size, sliding.window.count(sliding.size)
        least, most = size // window.stride, ceil_divide(size, window.stride)
        # What ceil_mode adds is not the kernel's doing.
        symmetric = window.before == window.after > 0 and units == sliding.units
        if window.effective % 2 or not symmetric or units not in (least - 1, most + 1):
            continue
        message = f"an even kernel with symmetric padding gives {_counted(units, sliding.unit)}{sliding.where}"
        message += f" instead of {least if units < least else most}"
        node, reason = sliding.step.node, _written(trace_window(window).count(Traced(size, "N")))
        yield Finding((node.name,), message, (*node.path, "padding"), reason, _centred(window, size))


def _centred(window: Window, size: int) -> str:
    fitting = window.effective - window.stride
    if fitting >= 0 and fitting % 2 == 0 and size >= window.stride:
        return f"use padding {fitting // 2}"
    odd = window._replace(kernel=window.kernel + 1)
    return f'use kernel_size {odd.kernel} with padding {odd.effective // 2}, or padding = "same"'


@_rule("W104", "checkerboard")
def _find_checkerboards(network: AnalysedGraph) -> Iterator[Finding]:
    """A transposed convolution's kernel is no multiple of its stride, so that inputs overlap more in some outputs."""
    for step in _steps(network):
        for spread in _sliding(step, step.node.layer.spreads(step.inputs)):
            kernel, stride, dilation = spread.window.kernel, spread.window.stride, spread.window.dilation
            if spread.size == 1 or (kernel % stride == 0 and math.gcd(dilation, stride) == 1):
                continue  # the kernels of a single input cannot overlap
            message = f"outputs{spread.along} are made of unequally many inputs, which shows as a checkerboard"
            node = step.node
            yield Finding((node.name,), message, (*node.path, "kernel_size"), *_overlaps(kernel, stride, dilation))


def _overlaps(kernel: int, stride: int, dilation: int) -> tuple[str, str]:
    """Why the kernels of a transposed convolution overlap unevenly, and what to do."""
    if (common := math.gcd(dilation, stride)) > 1:
        reason = f"stride {stride} and dilation {dilation} share the factor {common}: some outputs have no input"
        return reason, "use a dilation that shares no factor with the stride"
    below = kernel - kernel % stride
    multiples = f"{below} or {below + stride}" if below else f"{stride}"
    fewest = kernel // stride
    reason = f"{kernel} mod {stride} = {kernel % stride}: {fewest} or {fewest + 1} inputs in turn on each axis"
    return reason, f"use kernel_size {multiples}, or upsample and then convolve"


class Dilated(NamedTuple):
    """A convolution in a stack: its dilation along an axis, and how many of the stack lie below it, itself included."""

    node: Node
    dilation: int
    depth: int


@_rule("W105", "gridding")
def _find_gridding(network: AnalysedGraph) -> Iterator[Finding]:
    """The dilations of stacked convolutions share a factor, so that together they read only a grid of positions."""
    found: dict[Finding, None] = {}  # axes that are alike make the same finding
    for axis in range(1, max(AXIS_NAMES)):
        for stack in _stacks(network, axis):
            common = math.gcd(*(member.dilation for member in stack))
            if common == 1 or max(member.depth for member in stack) == 1:
                continue
            dilations = ", ".join(str(member.dilation) for member in stack[:6]) + (", …" if len(stack) > 6 else "")
            message = f"dilated convolutions in a stack read only 1 of every {common} positions"
            reason = f"the dilations {dilations} share the factor {common}"
            names, path = tuple(member.node.name for member in stack), (*stack[0].node.path, "dilation")
            remedy = "use dilations without a common factor, such as 1, 2, 5"
            found[Finding(names, message, path, reason, remedy)] = None
    yield from found


def _stacks(network: AnalysedGraph, axis: int) -> Iterable[list[Dilated]]:
    """Convolutions along an axis that read one another, through layers that keep positions apart and in place.

    All of a stack read, in the end, the same edge, its bottom, whose number tells stacks apart.
    """
    stacks: defaultdict[int, list[Dilated]] = defaultdict(list)
    bottoms = {edge: (edge, 0) for edge in range(len(network.graph.inputs))}
    for step in _steps(network):
        window = step.node.layer.windows(step.inputs).get(axis)
        bottom, depth = _bottom(step, axis, bottoms)
        if bottom != step.edge and window and window.kernel > 1:
            depth += 1
            stacks[bottom].append(Dilated(step.node, window.dilation, depth))
        bottoms[step.edge] = bottom, depth
    return stacks.values()


def _bottom(step: Step, axis: int, bottoms: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """The bottom of the stack that a layer continues (itself, if none), and how many of the stack lie below."""
    window = step.node.layer.windows(step.inputs).get(axis)
    convolves = step.node.layer.family == "convolution" and window is not None and window.stride == 1
    below = {
        bottoms[source]
        for source, reads in zip(step.node.sources, step.node.layer.reads(step.inputs), strict=True)
        if convolves or (axis < len(reads) and _keeps_place(reads[axis], axis))
    }
    return max(below) if len({bottom for bottom, _ in below}) == 1 else (step.edge, 0)


def _keeps_place(read: Read, axis: int) -> bool:
    moved = isinstance(read.window, Window) and read.window.kernel == 1 and read.window.stride == 1
    return moved and read.axis == axis and not read.mixed


# parameters


@_rule("P201", "bias-before-normalization")
def _find_useless_biases(network: AnalysedGraph) -> Iterator[Finding]:
    """A normalization subtracts the mean of each channel, and with it the bias of the layer before."""
    readers = _readers(network)
    uses: defaultdict[int, list[Step]] = defaultdict(list)
    for step in _steps(network):
        position = step.edge - len(network.graph.inputs)
        uses[position if step.node.owner is None else step.node.owner].append(step)
    for position, steps in uses.items():
        node, layer = network.graph.nodes[position], steps[0].node.layer
        bias = layer.parameters(steps[0].inputs).get("bias")
        removers = [_removers(step, readers, network.graph.outputs) for step in steps if bias]
        if not bias or not all(removers):
            continue
        types = " and ".join(sorted(set[str]().union(*removers)))
        field = next((field for field in ("bias", "affine") if field in layer.__struct_fields__), None)
        message = f"{_counted(product(bias), 'bias parameter')} before {types} can have no effect"
        reason = f"{types} subtracts the mean of each channel, and a bias is the same for a whole channel"
        remedy = f"set {field} = false" if field else "leave out one of the two layers"
        path = (*node.path, field) if field else node.path
        yield Finding(tuple(step.node.name for step in steps), message, path, reason, remedy)


def _readers(network: AnalysedGraph) -> defaultdict[int, list[Step]]:
    readers: defaultdict[int, list[Step]] = defaultdict(list)
    for step in _steps(network):
        for source in step.node.sources:
            readers[source].append(step)
    return readers


def _removers(step: Step, readers: defaultdict[int, list[Step]], outputs: tuple[int, ...]) -> set[str]:
    """The types of layers that remove the bias of a layer; none if anything gets to see it."""
    axis, waiting, found = _channel_axis(step.node.layer, step.output.shape), [step.edge], set()
    while waiting:
        edge = waiting.pop()
        if edge in outputs or not readers[edge]:
            return set()
        for reader in readers[edge]:
            layer = reader.node.layer
            if layer.is_identity:
                waiting.append(reader.edge)
            elif layer.removes_bias and _channel_axis(layer, step.output.shape) == axis is not None:
                found.add(layer.type)
            else:
                return set()
    return found


def _channel_axis(layer: Layer, shape: Shape) -> int | None:
    return None if layer.channel_axis is None else resolve_axis(layer.channel_axis, len(shape))


@_rule("P202", "dominant-dense")
def _find_dominant_dense(network: AnalysedGraph) -> Iterator[Finding]:
    """One dense layer holds more than half of all parameters of a network that is not all dense."""
    nodes = network.graph.nodes[: network.fitting]
    total = sum(own.total for own in network.parameters)
    mixed = any(own.macs and node.layer.family != "dense" for own, node in zip(network.operations, nodes, strict=True))
    for own, node in zip(network.parameters, nodes, strict=True):
        if mixed and node.layer.family == "dense" and 2 * own.total > total:
            message = f"a dense layer holds {100 * own.total / total:.1f} % of all parameters"
            reason = f"{own.total:,} of {total:,}"
            remedy = "let it read less, by pooling before it, or give it fewer features"
            yield Finding((node.name,), message, node.path, reason, remedy)


# the graph


@_rule("G301", "unread-layer")
def _find_unread(network: AnalysedGraph) -> Iterator[Finding]:
    """A layer or an input that nothing reads, and that is no output."""
    graph = network.graph
    read = {*graph.outputs, *(source for node in graph.nodes for source in node.sources)}
    remedy = "let a layer read it, or remove it"
    for edge, (name, tensor) in enumerate(graph.inputs.items()):
        if edge not in read:
            reason = f"its {size_text(tensor.shape)} go nowhere"
            yield Finding((name,), "nothing reads it", ("inputs", name), reason, remedy, "input")
    for step in _steps(network):
        if step.edge not in read:
            node, reason = step.node, f"its {size_text(step.output.shape)} go nowhere"
            yield Finding((node.name,), "nothing reads it", node.path, reason, f"list it in outputs, {remedy}")


@_rule("G302", "misaligned-branches")
def _find_misaligned(network: AnalysedGraph) -> Iterator[Finding]:
    """Branches meet whose receptive fields have different centres."""
    for step in _steps(network):
        axes = network.receptive_fields.misaligned.get(step.edge, ())
        centers = sorted({center for axis in axes if (center := axis.center) is not None})
        if not centers:
            continue
        unit = "hops" if axes[0].hops else "input positions"
        message = f"branches meet that look at different places, {float(centers[-1] - centers[0]):g} {unit} apart"
        reason = f"the fields of their first units have centres {', '.join(f'{float(center):g}' for center in centers)}"
        remedy = "pad the branches so that their centres agree, or crop one of them with slice"
        yield Finding((step.node.name,), message, (*step.node.path, "inputs"), reason, remedy)


# receptive fields


@_rule("R401", "unproductive-layers")
def _find_unproductive(network: AnalysedGraph) -> Iterator[Finding]:
    """Convolutions whose input sees the whole input of the network already, so that they see nothing new."""
    found: list[tuple[Node, Field]] = []
    for step in _steps(network):
        layer, field = step.node.layer, network.receptive_fields.edges[step.node.sources[0]]
        spreads = any(window.kernel > 1 for window in layer.windows(step.inputs).values())
        if layer.family == "convolution" and spreads and isinstance(field, Field) and _sees_all(field):
            found.append((step.node, field))
    if found:
        (first, field), (_, last) = found[0], found[-1]
        message = f"{_counted(len(found), 'convolution')} with kernels larger than 1 see nothing new"
        reason = f"what {quoted(first.name)} reads sees {_sizes(field)} already, more than {size_text(field.shape)}"
        remedy = f"use an input of {_sizes(last)} or more, or fewer layers"
        yield Finding(tuple(node.name for node, _ in found), message, first.path, reason, remedy)


def _sees_all(field: Field) -> bool:
    """Whether windows alone, not a layer that reads the whole map, have made the field larger than the input."""
    sliding = all(axis.period == 1 and axis.advance and not axis.hops for axis in field.axes)
    return sliding and all((axis.size or 0) > size for axis, size in zip(field.axes, field.shape, strict=True))


def _sizes(field: Field) -> str:
    return size_text(tuple(axis.size for axis in field.axes))


@_rule("R402", "field-too-small")
def _find_small_fields(network: AnalysedGraph) -> Iterator[Finding]:
    """No unit sees the whole input."""
    fields = network.receptive_fields.edges[len(network.graph.inputs) :]
    known = [field for field in fields if isinstance(field, Field)]
    uncounted = {field.shape for field in known if any(axis.hops for axis in field.axes)}
    if any(isinstance(field, Unknown) for field in fields):
        return
    # By the input's size, not its name: where inputs meet, their equal positions share a field.
    for shape in dict.fromkeys(field.shape for field in known if field.shape not in uncounted):
        seen = [field for field in known if field.shape == shape]
        sizes = ([axis.size or 0 for axis in field.axes] for field in seen)
        largest = tuple(map(max, zip(*sizes, strict=True)))
        if any(size < whole for size, whole in zip(largest, shape, strict=True)):
            message = f"no unit sees more than {size_text(largest)} of {size_text(shape)}"
            path = ("inputs", seen[0].source)
            yield Finding((seen[0].source,), message, path, *_why_small(seen), "input")


def _why_small(fields: list[Field]) -> tuple[str, str]:
    """Why no unit sees the whole input, and what to do."""
    if any(axis.advance == 0 for field in fields for axis in field.axes):
        reason, remedy = "strides have dropped the rest before a layer reads the whole map", "use sizes that fit"
    else:
        reason = "the receptive field of every layer is smaller than the input"
        remedy = "add layers, strides or dilations; or end in a layer that reads the whole map"
    return reason, remedy
