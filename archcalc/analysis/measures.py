"""Measures every quantity of a network, and its value for each layer if it is a sum."""

from collections.abc import Callable
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.counting import ConventionCount, apply_convention, find_convention
from archcalc.analysis.field import ReceptiveField, marked_size
from archcalc.analysis.memory import measure_memory
from archcalc.analysis.summary import summarize
from archcalc.numbers.bounds import Amount, Unknown
from archcalc.quantities import SUMS
from archcalc.render.document import BYTES

LayerValues = list[Amount]  # one for each layer of a network


class Measured(NamedTuple):
    """The value of a quantity: exact, a bound, or unknown.

    `sizes` are the sizes of a receptive field, the smallest of which is the value. `layer` is the layer at which a
    quantity is measured that is no sum over layers.
    """

    value: Amount
    sizes: tuple[int | None, ...] = ()
    unit: str = ""  # `bytes`, or `hops` if sizes are not in pixels
    layer: str | None = None
    text: str = ""  # of sizes, with their marks


class Measure(NamedTuple):
    """The functions that measure a quantity; `layers` returns each layer's value of a sum, and is None for others."""

    whole: Callable[[AnalysisContext], Measured]
    layers: Callable[[AnalysisContext], LayerValues] | None = None


def _summed(attribute: str) -> Measure:
    """A quantity in the rows and totals of the summary."""
    return Measure(
        lambda context: Measured(getattr(summarize(context).totals, attribute)),
        lambda context: [getattr(row, attribute) for row in summarize(context).layers],
    )


def _counted(count: Callable[[AnalysisContext], ConventionCount]) -> Measure:
    """A quantity by a counting convention."""
    return Measure(lambda context: Measured(count(context).total), lambda context: [*count(context).layers])


def by_convention(name: str) -> Measure:
    """The operations by a counting convention. Raises UsageError for an unknown convention."""
    convention = find_convention(name)
    return _counted(lambda context: apply_convention(context, convention))


NO_FIELD = Measured(Unknown("no layer has positions of the input to see"))


def _field(context: AnalysisContext) -> Measured:
    """The field of the last layer with several positions, or of the last layer with a field if none has them.

    Only paths that keep positions count. Later layers, such as a global average, see the whole map in any network.
    """
    last: Measured | None = None
    for row in reversed(summarize(context).layers):
        if "receptive_field" in row.unknown:
            return Measured(Unknown(f"{row.name}: {row.unknown['receptive_field']}"), layer=row.name)
        if row.receptive_field:
            found = _measure_field(row.name, row.receptive_field)
            if any(axis.extent > 1 and axis.advance and not axis.mixed for axis in row.receptive_field.axes):
                return found
            last = last or found
    return last or NO_FIELD


def _measure_field(layer: str, field: ReceptiveField) -> Measured:
    smallest = min(size or 0 for size in field.size)
    unit = "hops" if field.unit == "hops" else ""
    return Measured(smallest, field.size, unit, layer, marked_size(field).text())


def _peak_memory(context: AnalysisContext) -> Measured:
    memory = measure_memory(context)
    return Measured(memory.peak, unit=BYTES, layer=memory.peak_layer)


MEASURES: dict[str, Measure] = {
    **{name: _summed(name) for name in SUMS if name != "activations"},
    "activations": _counted(lambda context: apply_convention(context, find_convention("macs").activations)),
    "peak_memory": Measure(_peak_memory),
    "receptive_field": Measure(_field),
    "layers": Measure(lambda context: Measured(len(context.graph.nodes))),
}
