"""Checks of sliding windows."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.inferred_layer import check_constraints
from archcalc.analysis.lint.rule import CheckedLayer, Finding, checked_layers, counted, rule
from archcalc.arithmetic import Window, ceil_divide, product
from archcalc.errors import Path
from archcalc.graph import Node
from archcalc.layers.base import AXIS_NAMES, Dependency, size_text
from archcalc.layers.sliding import trace_window
from archcalc.tracing import Traced

MOST_READS = 100_000  # positions that are checked one by one


class Sliding(NamedTuple):
    """A layer's window along the axes on which window and sizes are equal."""

    checked: CheckedLayer
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
        """The axes by name; empty for all axes."""
        if len(self.axes) == len(self.windows):
            return ""
        names = AXIS_NAMES[len(self.windows) + 1]
        return f" along the {' and '.join(names[axis] for axis in self.axes)}"

    @property
    def where(self) -> str:
        """The axes by name, or `per axis` for all of several axes."""
        return self.along or (" per axis" if len(self.axes) > 1 else "")


def _sliding(checked: CheckedLayer, windows: dict[int, Window]) -> Iterator[Sliding]:
    alike: defaultdict[tuple[Window, int, int], list[int]] = defaultdict(list)
    for axis, window in windows.items():
        alike[window, checked.inputs[0].shape[axis], checked.output.shape[axis]].append(axis)
    for (window, size, units), axes in alike.items():
        yield Sliding(checked=checked, window=window, size=size, units=units, axes=tuple(axes), windows=windows)


def _windows(network: AnalysisContext) -> Iterator[Sliding]:
    for checked in checked_layers(network):
        yield from _sliding(checked, checked.inferred.windows)


def _stride_path(node: Node) -> Path:
    """The path of the stride; a pooling without one uses its kernel's size."""
    return (*node.path, "kernel_size" if getattr(node.layer, "stride", None) is None else "stride")


def _written(number: Traced) -> str:
    """A derivation, followed by those of its intermediate results."""
    steps = [f"{step.symbol} = {step.operands[0]!r}" for step in number.intermediates()]
    return ", ".join([repr(number), *steps])


@rule("W101", "dropped-pixels")
def _find_dropped(network: AnalysisContext) -> Iterator[Finding]:
    """A stride drops positions at the end of the input that no window reads."""
    for sliding in _windows(network):
        window, size = sliding.window, sliding.size
        if not window.dropped(size, sliding.units):
            continue
        unread = window.unread(size, sliding.units)
        verb = "is" if unread == 1 else "are"
        shape = size_text(sliding.checked.inputs[0].shape[1:])
        message = f"{counted(unread, sliding.unit)}{sliding.where} {verb} never read at the end of {shape}"
        reason = _written(trace_window(window).remainder(Traced(size, "N")))
        reason += f", of which {window.after} padding" if window.after else ""
        node = sliding.checked.node
        yield Finding((node.name,), message, _stride_path(node), reason, _exact_fits(sliding))


def _exact_fits(sliding: Sliding) -> str:
    """The nearest sizes, and the padding, that leave no remainder, in words."""
    window, layer = sliding.window, sliding.checked.node.layer
    below = sliding.size - window.remainder(sliding.size)
    above = below + window.stride
    fits = f"size {above}{sliding.along} fits" if below < 1 else f"sizes {below} and {above}{sliding.along} fit"
    fields = layer.__struct_fields__
    if "padding" in fields:
        padding = _exact_padding(sliding)
        fits += " exactly; no symmetric padding does" if padding is None else f" exactly, and so does padding {padding}"
    else:
        fits += " exactly"
    if "ceil_mode" in fields and not getattr(layer, "ceil_mode") and _ceil_mode_reads_all(sliding):  # noqa: B009  # only some layers have it
        fits += f"; ceil_mode = true reads every {sliding.unit}"
    return fits


def _ceil_mode_reads_all(sliding: Sliding) -> bool:
    """Whether ceil_mode adds a window, and no position at the end stays unread."""
    layer, inputs = replace(sliding.checked.node.layer, ceil_mode=True), sliding.checked.inputs
    axis, size = sliding.axes[0], sliding.size
    window, units = layer.windows(inputs)[axis], layer.output_shape(inputs)[axis]
    unread = sliding.window.unread(size, sliding.units)
    if unread * window.kernel > MOST_READS:
        return False
    ends = range(size - unread, size)
    return all(
        any(_is_read(window, units, place - tap * window.dilation) for tap in range(window.kernel)) for place in ends
    )


def _is_read(window: Window, units: int, start: int) -> bool:
    """Whether a window of some unit starts at a position."""
    unit, left = divmod(start + window.before, window.stride)
    return not left and 0 <= unit < units


def _exact_padding(sliding: Sliding) -> int | None:
    """The smallest padding, the same at both ends, that leaves no remainder, if the layer may have one."""
    window, size, inputs = sliding.window, sliding.size, sliding.checked.inputs
    missing = window.effective - size
    both = missing if missing > 0 else missing % window.stride
    if both % 2:
        both += window.stride
    if both % 2:
        return None
    padding = both // 2
    all_axes = {axis: (other.before, other.after) for axis, other in sliding.windows.items()}
    all_axes |= dict.fromkeys(sliding.axes, (padding, padding))
    padded = replace(sliding.checked.node.layer, padding=tuple(all_axes.values()))
    return None if any(check_constraints(padded, inputs)) else padding


@rule("W102", "skipped-pixels")
def _find_skipped(network: AnalysisContext) -> Iterator[Finding]:
    """Windows are so far apart, or so sparse, that positions between them are never read."""
    for sliding in _windows(network):
        window = sliding.window
        if sliding.units > 1 and not window.skipped and window.dilation > 1:
            yield from _unread_at_the_ends(sliding)
        if sliding.units == 1 or not window.skipped:
            continue
        message = f"{window.skipped} of every {counted(window.stride, sliding.unit)}{sliding.where}"
        message += f" {'is' if window.skipped == 1 else 'are'} never read"
        reason = repr(trace_window(window).skipped)
        if len(sliding.windows) > 1:
            cell = product(other.stride for other in sliding.windows.values())
            read = product(other.stride - other.skipped for other in sliding.windows.values())
            reason += f"; on all axes together {cell - read} of {cell}"
        node = sliding.checked.node
        yield Finding((node.name,), message, _stride_path(node), reason, _denser(window))


def _unread_at_the_ends(sliding: Sliding) -> Iterator[Finding]:
    """Positions near the ends that no tap of a dilated window reads."""
    window, size, units = sliding.window, sliding.size, sliding.units
    if max(size, units * window.kernel) > MOST_READS or window.dropped(size, units):
        return  # another check reports it
    starts = range(-window.before, units * window.stride - window.before, window.stride)
    read = {start + tap * window.dilation for start in starts for tap in range(window.kernel)}
    if unread := [place for place in range(size) if place not in read]:
        shown = ", ".join(map(str, unread[:4])) + (", …" if len(unread) > 4 else "")
        verb = "is" if len(unread) == 1 else "are"
        message = f"{counted(len(unread), sliding.unit)}{sliding.where} of {size} {verb} never read ({shown})"
        reason = f"near the ends windows of dilation {window.dilation} reach over them"
        node = sliding.checked.node
        yield Finding((node.name,), message, (*node.path, "dilation"), reason, "use dilation 1, or another padding")


def _denser(window: Window) -> str:
    remedies = [f"kernel_size ≥ {window.stride}"] if window.kernel < window.stride else []
    if math.gcd(window.dilation, window.stride) > 1:
        remedies.append("a dilation that shares no factor with the stride")
    return f"use {' and '.join(remedies)}; or average pooling of stride {window.stride}, and stride 1 here"


@rule("W103", "even-kernel")
def _find_even_kernels(network: AnalysisContext) -> Iterator[Finding]:
    """An even kernel with the same padding at both ends makes the output one larger or smaller than the stride says."""
    for sliding in _windows(network):
        window, size, units = sliding.window, sliding.size, sliding.window.count(sliding.size)
        least, most = size // window.stride, ceil_divide(size, window.stride)
        # A unit that ceil_mode adds is not caused by the kernel.
        symmetric = window.before == window.after > 0 and units == sliding.units
        if window.effective % 2 or not symmetric or units not in (least - 1, most + 1):
            continue
        message = f"an even kernel with symmetric padding gives {counted(units, sliding.unit)}{sliding.where}"
        message += f" instead of {least if units < least else most}"
        node, reason = sliding.checked.node, _written(trace_window(window).count(Traced(size, "N")))
        yield Finding((node.name,), message, (*node.path, "padding"), reason, _centred(window, size))


def _centred(window: Window, size: int) -> str:
    fitting = window.effective - window.stride
    if fitting >= 0 and fitting % 2 == 0 and size >= window.stride:
        return f"use padding {fitting // 2}"
    odd = window._replace(kernel=window.kernel + 1)
    return f'use kernel_size {odd.kernel} with padding {odd.effective // 2}, or padding = "same"'


@rule("W104", "checkerboard")
def _find_checkerboards(network: AnalysisContext) -> Iterator[Finding]:
    """A transposed convolution's kernel is no multiple of its stride, so that more inputs overlap in some outputs."""
    for checked in checked_layers(network):
        for spread in _sliding(checked, checked.node.layer.spreads(checked.inputs)):
            kernel, stride, dilation = spread.window.kernel, spread.window.stride, spread.window.dilation
            if spread.size == 1 or (kernel % stride == 0 and math.gcd(dilation, stride) == 1):
                continue  # a single input cannot overlap
            message = f"outputs{spread.along} sum unequal numbers of inputs, which shows as a checkerboard"
            node = checked.node
            yield Finding((node.name,), message, (*node.path, "kernel_size"), *_overlaps(kernel, stride, dilation))


def _overlaps(kernel: int, stride: int, dilation: int) -> tuple[str, str]:
    """The reason why the kernels of a transposed convolution overlap unevenly, and the remedy."""
    if (common := math.gcd(dilation, stride)) > 1:
        reason = f"stride {stride} and dilation {dilation} share the factor {common}: some outputs have no input"
        return reason, "use a dilation that shares no factor with the stride"
    below = kernel - kernel % stride
    multiples = f"{below} or {below + stride}" if below else f"{stride}"
    fewest = kernel // stride
    reason = f"{kernel} mod {stride} = {kernel % stride}: {fewest} or {fewest + 1} inputs in turn on each axis"
    return reason, f"use kernel_size {multiples}, or upsample and then convolve"


class Dilated(NamedTuple):
    """A convolution in a stack, with its dilation along an axis; `depth` counts it and the convolutions below it."""

    node: Node
    dilation: int
    depth: int


@rule("W105", "gridding")
def _find_gridding(network: AnalysisContext) -> Iterator[Finding]:
    """The dilations of stacked convolutions share a factor, so that together they read only a grid of positions."""
    found: dict[Finding, None] = {}  # equal axes have the same finding
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


def _stacks(network: AnalysisContext, axis: int) -> Iterable[list[Dilated]]:
    """Stacks of convolutions along an axis, with only layers between them that keep positions.

    A stack is identified by its bottom, the edge that all its convolutions depend on.
    """
    stacks: defaultdict[int, list[Dilated]] = defaultdict(list)
    bottoms = {edge: (edge, 0) for edge in range(network.graph.first_edge)}
    for checked in checked_layers(network):
        window = checked.inferred.windows.get(axis)
        bottom, depth = _bottom(checked, axis, bottoms)
        if bottom != checked.edge and window and window.kernel > 1:
            depth += 1
            stacks[bottom].append(Dilated(checked.node, window.dilation, depth))
        bottoms[checked.edge] = bottom, depth
    return stacks.values()


def _bottom(checked: CheckedLayer, axis: int, bottoms: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """The bottom of the stack that a layer continues (its own edge, if none), and the depth of the stack below it."""
    window = checked.inferred.windows.get(axis)
    convolves = checked.node.layer.family == "convolution" and window is not None and window.stride == 1
    below = {
        bottoms[source]
        for source, reads in zip(checked.node.sources, checked.inferred.dependencies, strict=True)
        if convolves or (axis < len(reads) and _keeps_place(reads[axis], axis))
    }
    return max(below) if len({bottom for bottom, _ in below}) == 1 else (checked.edge, 0)


def _keeps_place(read: Dependency, axis: int) -> bool:
    moved = isinstance(read.window, Window) and read.window.kernel == 1 and read.window.stride == 1
    return moved and read.axis == axis and not read.mixed
