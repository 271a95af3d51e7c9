"""The sizes of an input that work, leave no remainder, and are of use, as text and as plain values."""

from collections.abc import Iterator
from typing import Any

from archcalc.analysis.input_range import Bound, SizeRange
from archcalc.analysis.resizing import described
from archcalc.analysis.size_sets import SizeSet
from archcalc.errors import printable
from archcalc.network import Network
from archcalc.render.text_table import Style, inputs_text, shortened

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
    even = found.no_remainder
    return {
        "axes": [{"input": extent.source, "axis": extent.axis} for extent in found.axes],
        "size": found.size,
        "smallest": found.works.smallest,
        "works": found.works._asdict(),
        "same_weights": found.same_weights._asdict(),
        "no_remainder": {**even._asdict(), "below": even.last_until(found.size), "above": even.next_from(found.size)},
        "productive": found.productive and found.productive._asdict(),
        "covered": found.covered and found.covered._asdict(),
        "changing": found.changing,
        "before": found.before,
        "unknown": found.unknown,
    }


def render_ranges(network: Network, ranges: tuple[SizeRange, ...], style: Style) -> str:
    """The answers in words, a paragraph for each size."""
    head = f"{style.bold(printable(network.name))}\ninput {inputs_text(network.inputs)}"
    if not ranges:
        return f"{head}\n\nno axis of an input has positions: its sizes are those of features"
    return "\n\n".join([head, *(_paragraph(network, found, style) for found in ranges)])


def _paragraph(network: Network, found: SizeRange, style: Style) -> str:
    room = max(_NARROWEST, (style.width or 10**6) - _INDENT - _WORDS)
    rows = [("works", sizes_text(found.works), _tried(found.works))]
    if found.same_weights != found.works:
        rows += [("same weights", sizes_text(found.same_weights), _tried(found.same_weights))]
    rows += [("no remainder", *_without_remainder(found)), ("useful", *_useful(found, room))]
    lines = [style.bold(f"sizes n of {printable(described(network.graph, [*found.axes]))}")]
    for label, value, notes in rows:
        lines += [f"{label:<{_INDENT}}{value}", *(style.dim(f"{'':<{_INDENT}}{note}") for note in notes)]
    return "\n".join(lines)


def sizes_text(sizes: SizeSet) -> str:
    """A set of sizes in words: `from 32 on`, `32 to 39`, `33, 35, and multiples of 32 from 64 on`."""
    listed = [str(first) if first == last else f"{first} to {last}" for first, last in sizes.listed]
    if len(listed) > SHOWN:
        listed = [*listed[: SHOWN - 1], "…", listed[-1]]
    if not sizes.is_endless:
        alone = " alone" if len(listed) == 1 and "to" not in listed[0] else ""
        return f"{_enumerated(listed)}{alone}" if listed else "at no size"
    if not listed and sizes.modulus == 1 and sizes.start == 1:
        return "at every size"
    return _enumerated([*listed, _recurring(sizes)]) if listed else _recurring(sizes, ",")


def _recurring(sizes: SizeSet, comma: str = "") -> str:
    end = f"from {sizes.start} on"
    if sizes.modulus == 1:
        return end
    if sizes.remainders == (0,):
        return f"multiples of {sizes.modulus}{comma} {end}"
    return f"where n mod {sizes.modulus} is {_listed(sizes.remainders)}{comma} {end}"


def _enumerated(texts: list[str]) -> str:
    return f"{', '.join(texts[:-1])}, and {texts[-1]}" if len(texts) > 1 else texts[0]


def _tried(sizes: SizeSet) -> list[str]:
    if sizes.tried is None:
        return []
    return [f"every size up to {sizes.tried} was tried; of larger ones nothing is known"]


def _without_remainder(found: SizeRange) -> tuple[str, list[str]]:
    even, size = found.no_remainder, found.size
    if even.smallest is None and even.tried is None:
        return "at no size", [
            "whatever the size, some stride drops positions at the end"
        ] if found.works.smallest else []
    if size in even:
        own = f"{size} is one of them"
    else:
        nearest = [str(n) for n in (even.last_until(size), even.next_from(size)) if n is not None]
        own = f"{size} is none" + (f"; the nearest: {' and '.join(nearest)}" if nearest else "")
    every = even.is_endless and even.modulus == 1 and size in even
    return sizes_text(even), [*([] if every else [own]), *_tried(even)]


def _listed(remainders: tuple[int, ...]) -> str:
    if len(remainders) > SHOWN:
        return f"{', '.join(map(str, remainders[:SHOWN]))} … ({len(remainders)} remainders)"
    *most, last = map(str, remainders)
    return f"{', '.join(most)} or {last}" if most else last


def _useful(found: SizeRange, room: int) -> tuple[str, list[str]]:
    """Sizes that work among those from the smallest productive one to the largest that a unit covers."""
    productive, covered = found.productive, found.covered
    if covered is None:
        return "–", [_why_not(found, room)]
    notes = [*_productive_notes(productive, room), *_covered_notes(covered, found.before, room)]
    least = found.works.next_from(productive.size if productive else 1)
    most = found.works.last_until(covered.size)
    if least is None or most is None or least > most:
        smallest = found.works.smallest
        return "–", [*([f"the smallest that works is {smallest}"] if smallest else []), *notes]
    if least == most:
        return f"{least} alone", notes
    return f"{least} to {most}" if least > 1 else f"up to {most}", notes


def _why_not(found: SizeRange, room: int) -> str:
    if found.unknown:
        return f"not known: {printable(found.unknown)}"
    if found.changing:
        return f"fields are not the same at every size, from {shortened(printable(found.changing), room)} on"
    return "no unit sees by windows alone" if found.before else "no window slides over the input"


def _productive_notes(bound: Bound | None, room: int) -> Iterator[str]:
    if bound and bound.size > 1:
        layer = shortened(printable(bound.layer), room)
        sees = f"windows of {layer} see" if bound.sees_more else f"{layer} sees"
        yield f"below {bound.size} {sees} nothing new, even by the shortest path"


def _covered_notes(bound: Bound, before: str | None, room: int) -> Iterator[str]:
    most = f"{shortened(printable(bound.layer), room)} sees most"
    if before is None:
        yield f"above {bound.size} no unit sees all of it; {most}"
    else:
        yield f"above {bound.size} no unit before {shortened(printable(before), room)} sees all of it"
        yield f"by windows alone {most}" if bound.sees_more else most
