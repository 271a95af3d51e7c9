"""The sizes of an input that work, lose nothing, and are of use, as text and as plain values."""

from typing import Any

from archcalc.analysis.input_range import ExactSizes, SizeRange
from archcalc.analysis.resizing import described
from archcalc.errors import printable
from archcalc.layers.base import size_text
from archcalc.numbers.bounds import Unknown
from archcalc.report.network import Network
from archcalc.report.text_table import Style, shortened

SHOWN = 8  # remainders
_INDENT = 15  # of what is said of a label
_WORDS = 52  # letters of a note beside the name of a layer
_NARROWEST = 10


def ranges_to_dict(network: Network, ranges: tuple[SizeRange, ...]) -> dict[str, Any]:
    """The answers as JSON has them; null for what does not exist, or is not known, with the reason in `unknown`."""
    return {
        "name": network.name,
        "inputs": {name: list(shape) for name, shape in network.inputs.items()},
        "ranges": [_to_dict(found) for found in ranges],
    }


def _to_dict(found: SizeRange) -> dict[str, Any]:
    unknown = {"exact": found.exact.reason} if isinstance(found.exact, Unknown) else {}
    return {
        "axes": [{"input": extent.source, "axis": extent.axis} for extent in found.axes],
        "size": found.size,
        "smallest": found.smallest,
        "exact": None if isinstance(found.exact, Unknown) else found.exact._asdict(),
        "productive": found.productive and found.productive._asdict(),
        "covered": found.covered and found.covered._asdict(),
        "unknown": unknown,
    }


def render_ranges(network: Network, ranges: tuple[SizeRange, ...], style: Style) -> str:
    """The answers in words, a paragraph for each size."""
    inputs = ", ".join(f"{printable(name)} {size_text(shape)}" for name, shape in network.inputs.items())
    head = f"{style.bold(printable(network.name))}\ninput {inputs}"
    if not ranges:
        return f"{head}\n\nno axis of an input has positions: its sizes are those of features"
    return "\n\n".join([head, *(_paragraph(network, found, style) for found in ranges)])


def _paragraph(network: Network, found: SizeRange, style: Style) -> str:
    room = max(_NARROWEST, (style.width or 10**6) - _INDENT - _WORDS)
    rows = [
        ("works", _from(found.smallest), []),
        ("drops nothing", *_exact(found.exact, found.size)),
        ("useful", *_useful(found, room)),
    ]
    lines = [style.bold(f"sizes n of {printable(described(network.graph, [*found.axes]))}")]
    for label, value, notes in rows:
        lines += [f"{label:<{_INDENT}}{value}", *(style.dim(f"{'':<{_INDENT}}{note}") for note in notes)]
    return "\n".join(lines)


def _from(smallest: int | None) -> str:
    return "at no size" if smallest is None else f"from {smallest} on"


def _exact(exact: ExactSizes | Unknown, size: int) -> tuple[str, list[str]]:
    if isinstance(exact, Unknown):
        return "?", [exact.reason]
    if not exact.remainders:
        return "at no size", ["whatever the size, some stride drops positions at the end"]
    if exact.modulus == 1:
        return f"at every size, from {exact.start} on", []
    nearest = [str(n) for n in dict.fromkeys((exact.below, exact.above)) if n is not None]
    own = f"{size} is one of them" if exact.below == size else f"{size} is none; the nearest: {' and '.join(nearest)}"
    return f"where n mod {exact.modulus} is {_listed(exact.remainders)}, from {exact.start} on", [own]


def _listed(remainders: tuple[int, ...]) -> str:
    if len(remainders) > SHOWN:
        return f"{', '.join(map(str, remainders[:SHOWN]))} … ({len(remainders)} remainders)"
    *most, last = map(str, remainders)
    return f"{', '.join(most)} or {last}" if most else last


def _useful(found: SizeRange, room: int) -> tuple[str, list[str]]:
    productive, covered, smallest = found.productive, found.covered, found.smallest or 1
    if covered is None:
        return "–", ["no window slides over the input, or a receptive field is not known"]
    notes = [f"above {covered.size} no unit sees all of it; {shortened(printable(covered.layer), room)} sees most"]
    if productive:
        layer = shortened(printable(productive.layer), room)
        notes.insert(0, f"below {productive.size} {layer} sees nothing new, even by the shortest path")
    least = max(productive.size if productive else 1, smallest)
    if covered.size < smallest:
        return "–", [f"the smallest that works is {smallest}", *notes]
    if least == covered.size:
        return f"{least} alone", notes
    return f"{least} to {covered.size}" if least > 1 else f"up to {covered.size}", notes
