"""Checks of edges and receptive fields."""

from collections.abc import Iterator

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.lint.rule import Finding, counted, rule, steps
from archcalc.analysis.receptive_field import Field
from archcalc.errors import quoted
from archcalc.graph import Node
from archcalc.layers.base import size_text
from archcalc.numbers.bounds import Unknown


@rule("G301", "unread-layer")
def _find_unread(network: AnalysedGraph) -> Iterator[Finding]:
    """A layer or an input that nothing reads, and that is no output."""
    graph = network.graph
    read = {*graph.outputs, *(source for node in graph.nodes for source in node.sources)}
    remedy = "let a layer read it, or remove it"
    for edge, (name, tensor) in enumerate(graph.inputs.items()):
        if edge not in read:
            reason = f"its {size_text(tensor.shape)} go nowhere"
            yield Finding((name,), "nothing reads it", ("inputs", name), reason, remedy, "input")
    for step in steps(network):
        if step.edge not in read:
            node, reason = step.node, f"its {size_text(step.output.shape)} go nowhere"
            yield Finding((node.name,), "nothing reads it", node.path, reason, f"list it in outputs, {remedy}")


@rule("G302", "misaligned-branches")
def _find_misaligned(network: AnalysedGraph) -> Iterator[Finding]:
    """Branches meet whose receptive fields have different centres."""
    for step in steps(network):
        axes = network.receptive_fields.misaligned.get(step.edge, ())
        centers = sorted({center for axis in axes if (center := axis.center) is not None})
        if not centers:
            continue
        apart = float(centers[-1] - centers[0])
        unit = "hop" if axes[0].hops else "input position"
        message = f"branches meet that look at different places, {apart:.15g} {unit}{'s' * (apart != 1)} apart"
        reason = (
            f"the fields of their first units have centres {', '.join(f'{float(center):.15g}' for center in centers)}"
        )
        remedy = "pad the branches so that their centres agree, or crop one of them with slice"
        yield Finding((step.node.name,), message, (*step.node.path, "inputs"), reason, remedy)


@rule("R401", "unproductive-layers")
def _find_unproductive(network: AnalysedGraph) -> Iterator[Finding]:
    """Convolutions whose input sees the whole input of the network already, so that they see nothing new."""
    found: list[tuple[Node, Field]] = []
    for step in steps(network):
        layer, field = step.node.layer, network.receptive_fields.edges[step.node.sources[0]]
        spreads = any(window.kernel > 1 for window in layer.windows(step.inputs).values())
        if layer.family == "convolution" and spreads and isinstance(field, Field) and _sees_all(field):
            found.append((step.node, field))
    if found:
        (first, field), (_, last) = found[0], found[-1]
        do = "with a kernel larger than 1 sees" if len(found) == 1 else "with kernels larger than 1 see"
        message = f"{counted(len(found), 'convolution')} {do} nothing new"
        reason = f"what {quoted(first.name)} reads sees {_sizes(field)} already, more than {size_text(field.shape)}"
        remedy = f"use an input of {_sizes(last)} or more, or fewer layers"
        yield Finding(tuple(node.name for node, _ in found), message, first.path, reason, remedy)


def _sees_all(field: Field) -> bool:
    """Whether windows alone, not a layer that reads the whole map, have made the field larger than the input."""
    sliding = all(axis.period == 1 and axis.advance and not axis.hops for axis in field.axes)
    return sliding and all((axis.size or 0) > size for axis, size in zip(field.axes, field.shape, strict=True))


def _sizes(field: Field) -> str:
    return size_text(tuple(axis.size for axis in field.axes))


@rule("R402", "field-too-small")
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
