"""Checks of layers that read a spatial axis as channels or features."""

from collections.abc import Iterator

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.layout import Mistaken, incomplete_flatten, missing_flattens, mistake, mistaken_axes
from archcalc.analysis.lint.rule import CheckedLayer, Finding, checked_layers, rule
from archcalc.errors import Path, quoted
from archcalc.layers.base import AXIS_NAMES, Shape, resolve_axis, size_text


def _axis_name(axis: int, shape: Shape) -> str:
    """A spatial axis by its name: `the width`."""
    names = AXIS_NAMES.get(len(shape))
    return f"the {names[axis]}" if names and axis > 0 else f"axis {axis}"


@rule("G303", "missing-flatten")
def _find_missing_flattens(network: AnalysisContext) -> Iterator[Finding]:
    """A dense layer or attention reads a spatial axis as features."""
    for found in missing_flattens(network):
        node, shape = found.node, found.shape
        output = network.tensors[found.edge]
        reason = f"{node.layer.type} reads the last axis of {size_text(shape)}, {_axis_name(found.axis, shape)}"
        reason += f", as its features, and returns {size_text(output.shape if output else ())}"
        remedy, path = _in_place_of(network, found)
        yield Finding((node.name,), mistake(network, found), path, reason, remedy)


def _in_place_of(network: AnalysisContext, found: Mistaken) -> tuple[str, Path]:
    """The remedy, and the path of the value that it changes."""
    order = [*(axis for axis in range(len(found.shape)) if axis != found.channels), found.channels]
    turned = f'{{ type = "permute", dims = {order} }}'
    if found.node.layer.family == "attention":
        return f"put {turned} before it", found.node.path
    if flatten := incomplete_flatten(network, found):
        remedy = f"let {quoted(flatten.name)} join all axes, without start_dim: the batch is not counted"
        return remedy, (*flatten.path, "start_dim")
    return f'put {{ type = "flatten" }} before it; or {turned}, for a layer at every position', found.node.path


@rule("G304", "wrong-axis")
def _find_wrong_axes(network: AnalysisContext) -> Iterator[Finding]:
    """A softmax or a normalization runs along a spatial axis, or a softmax over a single value."""
    wrong = {found.edge: found for found in mistaken_axes(network)}
    for checked in checked_layers(network):
        found = wrong.get(checked.edge)
        if checked.node.layer.sums_to_one:
            yield from _of_softmax(checked, found, checked.edge in network.graph.outputs)
        elif found is not None and checked.node.layer.family == "normalization":
            message = f"{checked.node.layer.type} normalizes positions, not channels"
            reason = (
                f"its features are the last axis of {size_text(found.shape)}, {_axis_name(found.axis, found.shape)}"
            )
            remedy = "use group_norm with num_groups = 1, or permute the channels to the last axis before it"
            yield Finding((checked.node.name,), message, checked.node.path, reason, remedy)


def _of_softmax(checked: CheckedLayer, found: Mistaken | None, is_output: bool) -> Iterator[Finding]:
    """A softmax over a single value, or over positions if it is an output or there are other spatial axes."""
    name, layer, shape = checked.node.name, checked.node.layer, checked.inputs[0].shape
    dim: int = getattr(layer, "dim")  # noqa: B009  # only these layers have it
    axis, path = resolve_axis(dim, len(shape)), (*checked.node.path, "dim")
    instead = f"set dim = {found.channels}" if found and shape[found.channels] > 1 else None
    if shape[axis] == 1:
        message = f"{layer.type} over a single value is always {'0' if 'log' in layer.type else '1'}"
        reason = f"axis {axis} of {size_text(shape)} has one value"
        yield Finding((name,), message, path, reason, instead or "use sigmoid for a single output")
    elif found and instead and (is_output or sum(size > 1 for size in shape) > 2):
        message = f"{layer.type} adds up to 1 along {_axis_name(axis, shape)}, not over the channels"
        reason = f"dim = {dim} is axis {axis} of {size_text(shape)}, and the channels are axis {found.channels}"
        yield Finding((name,), message, path, reason, instead)
