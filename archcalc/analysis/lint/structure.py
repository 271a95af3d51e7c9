"""Checks of edges and receptive fields."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.layout import missing_flattens
from archcalc.analysis.lint.rule import CheckedLayer, Finding, checked_layers, counted, rule
from archcalc.analysis.receptive_field import Field
from archcalc.errors import quoted
from archcalc.graph import Node
from archcalc.layers.base import Shape, size_text
from archcalc.numbers.bounds import Unknown


@rule("G301", "unread-layer")
def _find_unread(network: AnalysisContext) -> Iterator[Finding]:
    """A layer or an input that no layer reads, and that is no output."""
    graph = network.graph
    read = {*graph.outputs, *(source for node in graph.nodes for source in node.sources)}
    remedy = "let a layer read it, or remove it"
    for edge, (name, tensor) in enumerate(graph.inputs.items()):
        if edge not in read:
            reason = f"its {size_text(tensor.shape)} values are unused"
            yield Finding(
                names=(name,),
                message="nothing reads it",
                path=("inputs", name),
                reason=reason,
                help=remedy,
                kind="input",
            )
    for checked in checked_layers(network):
        if checked.edge not in read:
            node, reason = checked.node, f"its {size_text(checked.output.shape)} values are unused"
            yield Finding((node.name,), "nothing reads it", node.path, reason, f"list it in outputs, {remedy}")


class Shift(NamedTuple):
    """Branches with different centres at a layer; `side` is the direction in which the widest field is shifted."""

    checked: CheckedLayer
    centers: tuple[float, ...]
    unit: str
    side: str

    @property
    def apart(self) -> float:
        return self.centers[-1] - self.centers[0]


@rule("G302", "misaligned-branches")
def _find_misaligned(network: AnalysisContext) -> Iterator[Finding]:
    """Branches meet whose receptive fields have different centres; shifts with one cause are one finding."""
    alike: defaultdict[tuple[str, str], list[Shift]] = defaultdict(list)
    for shift in _shifts(network):
        alike[shift.unit, shift.side].append(shift)
    for (_, side), shifts in alike.items():
        if side and len({(shift.checked.node.path, shift.centers) for shift in shifts}) > 1:
            yield _systematic(shifts)
        else:
            yield from map(_single, shifts)


def _shifts(network: AnalysisContext) -> Iterator[Shift]:
    for checked in checked_layers(network):
        axes = [axis for axis in network.receptive_fields.misaligned.get(checked.edge, ()) if axis.center is not None]
        centers = tuple(sorted({float(axis.center or 0) for axis in axes}))
        if len(centers) < 2:
            continue
        narrowest, *_, widest = sorted(axes, key=lambda axis: axis.size or 0)
        behind = float(narrowest.center or 0) - float(widest.center or 0)
        side = "" if narrowest.size == widest.size or not behind else "earlier" if behind > 0 else "later"
        yield Shift(checked, centers, "hop" if axes[0].hops else "input position", side)


def _single(shift: Shift) -> Finding:
    node, apart = shift.checked.node, shift.apart
    message = f"branches with different centres meet, {apart:.15g} {shift.unit}{'s' * (apart != 1)} apart"
    centers = ", ".join(f"{center:.15g}" for center in shift.centers)
    reason = f"the fields of their first units have centres {centers}"
    remedy = "pad the branches so that their centres agree, or crop one of them with slice"
    return Finding((node.name,), message, (*node.path, "inputs"), reason, remedy)


def _systematic(shifts: list[Shift]) -> Finding:
    """One finding for shifts to the same side, which have one cause."""
    least, most = min(shift.apart for shift in shifts), max(shift.apart for shift in shifts)
    apart = f"{least:.15g}" if least == most else f"{least:.15g} to {most:.15g}"
    message = f"branches with different centres meet, {apart} {shifts[0].unit}s apart"
    reason = f"in each, the branch with the wider field looks {shifts[0].side}, as with padding at one end"
    remedy = "ignore it for a causal network; else pad both ends alike"
    path = (*shifts[0].checked.node.path, "inputs")
    return Finding(tuple(shift.checked.node.name for shift in shifts), message, path, reason, remedy)


@rule("R401", "unproductive-layers")
def _find_unproductive(network: AnalysisContext) -> Iterator[Finding]:
    """Convolutions whose input already sees the whole input of the network, so that they see nothing new."""
    found: list[tuple[Node, Field]] = []
    for checked in checked_layers(network):
        layer, field = checked.node.layer, network.receptive_fields.edges[checked.node.sources[0]]
        spreads = any(window.kernel > 1 for window in checked.inferred.windows.values())
        if layer.family == "convolution" and spreads and isinstance(field, Field) and _sees_all(field):
            found.append((checked.node, field))
    if found:
        (first, field), (_, last) = found[0], found[-1]
        do = "with a kernel larger than 1 sees" if len(found) == 1 else "with kernels larger than 1 see"
        message = f"{counted(len(found), 'convolution')} {do} nothing new"
        reason = f"the input of {quoted(first.name)} already sees {_sizes(field)}, more than {size_text(field.shape)}"
        reason += "; units at the border see less"
        remedy = f"use an input of {_sizes(last)} or more, or fewer layers"
        yield Finding(tuple(node.name for node, _ in found), message, first.path, reason, remedy)


def _sees_all(field: Field) -> bool:
    """Whether the field is larger than the input by windows, not by a layer that reads the whole map."""
    sliding = all(axis.period == 1 and axis.advance and not axis.hops for axis in field.axes)
    return sliding and all((axis.size or 0) > size for axis, size in zip(field.axes, field.shape, strict=True))


def _sizes(field: Field) -> str:
    return size_text(tuple(axis.size for axis in field.axes))


@rule("R402", "field-too-small")
def _find_small_fields(network: AnalysisContext) -> Iterator[Finding]:
    """No unit sees the whole input, and no layer reads the whole map."""
    if missing_flattens(network):
        return  # this is why no unit sees the whole input
    fields = network.receptive_fields.edges[network.graph.first_edge :]
    if any(isinstance(field, Unknown) for field in fields):
        return
    groups = _inputs_that_meet(network)
    seen_of: defaultdict[tuple[frozenset[str], Shape], list[Field]] = defaultdict(list)
    for field in fields:
        if isinstance(field, Field):
            seen_of[groups[field.source], field.shape].append(field)
    for (_, shape), seen in seen_of.items():
        if any(axis.hops for field in seen for axis in field.axes):
            continue
        axes = [*zip(*(field.axes for field in seen), strict=True)]
        largest = tuple(max(axis.size or 0 for axis in along) for along in axes)
        # A layer that reads the whole map sees everything that strides do not drop, which W101 reports.
        whole = [any(axis.advance == 0 or axis.shared for axis in along) for along in axes]
        if any(size < all_of_it for size, all_of_it, read in zip(largest, shape, whole, strict=True) if not read):
            message = f"no unit sees more than {size_text(largest)} of {size_text(shape)}"
            reason = "the receptive field of every layer is smaller than the input"
            remedy = "add layers, strides or dilations; or end in a layer that reads the whole map"
            yield Finding(
                names=(seen[0].source,),
                message=message,
                path=("inputs", seen[0].source),
                reason=reason,
                help=remedy,
                kind="input",
            )


def _inputs_that_meet(network: AnalysisContext) -> dict[str, frozenset[str]]:
    """For every input the inputs that it meets in some layer; inputs that meet share a field."""
    groups = {name: frozenset([name]) for name in network.graph.inputs}
    for paths in network.receptive_fields.paths:
        met = frozenset[str]().union(*(groups[path.source] for path in paths))
        groups.update(dict.fromkeys(met, met))
    return groups
