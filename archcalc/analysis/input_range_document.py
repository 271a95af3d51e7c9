"""Input sizes that work, leave no remainder, and are useful, as a document."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archcalc.analysis.resizing import format_axes
from archcalc.analysis.size_sets import SizeSet
from archcalc.graph import Graph
from archcalc.render.document import TEXT, Document, Fact, Facts, Lines, Part
from archcalc.render.words import inputs_text

if TYPE_CHECKING:
    from archcalc.analysis.input_range import InputRanges, SizeBound, SizeRange

SHOWN = 8  # remainders


def range_document(found: "InputRanges") -> Document:
    """The ranges as a document, in words."""
    parts: list[Part] = [_facts(found.graph, one) for one in found.ranges]
    if not parts:
        parts = [Lines(["no axis of an input has positions: its sizes are those of features"], wrapped=True)]
    return Document(
        title=found.graph.name,
        head=[f"input {inputs_text({name: tensor.shape for name, tensor in found.graph.inputs.items()})}"],
        parts=parts,
        data=found.to_dict,
        records=lambda: [_record(found.graph, one) for one in found.ranges],
        columns=("sizes", "size", "smallest", "works", "same_weights", "no_remainder", "useful"),
    )


def _facts(graph: Graph, found: "SizeRange") -> Facts:
    rows = [("works", sizes_text(found.works), _tried(found.works))]
    if found.same_weights != found.works:
        rows += [("same weights", sizes_text(found.same_weights), _tried(found.same_weights))]
    rows += [("no remainder", *_without_remainder(found)), ("useful", *_useful(found))]
    facts = [Fact(label, value, TEXT, note="".join(f"\n{note}" for note in notes)) for label, value, notes in rows]
    return Facts(facts, title=f"sizes n of {format_axes(graph, [*found.axes])}")


def _record(graph: Graph, found: "SizeRange") -> dict[str, Any]:
    return {
        "sizes": format_axes(graph, [*found.axes]),
        "size": found.size,
        "smallest": found.works.smallest,
        "works": sizes_text(found.works),
        "same_weights": sizes_text(found.same_weights),
        "no_remainder": _without_remainder(found)[0],
        "useful": _useful(found)[0],
    }


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
    return [f"every size up to {sizes.tried} was tried; larger ones are unknown"]


def _without_remainder(found: "SizeRange") -> tuple[str, list[str]]:
    even, size = found.no_remainder, found.size
    if even.smallest is None and even.tried is None:
        return "at no size", ["at every size some stride drops positions at the end"] if found.works.smallest else []
    if size in even:
        own = f"{size} is one of them"
    else:
        nearest = [str(n) for n in (even.last_until(size), even.next_from(size)) if n is not None]
        own = f"{size} is not one of them" + (f"; the nearest: {' and '.join(nearest)}" if nearest else "")
    every = even.is_endless and even.modulus == 1 and size in even
    return sizes_text(even), [*([] if every else [own]), *_tried(even)]


def _listed(remainders: tuple[int, ...]) -> str:
    if len(remainders) > SHOWN:
        return f"{', '.join(map(str, remainders[:SHOWN]))} … ({len(remainders)} remainders)"
    *most, last = map(str, remainders)
    return f"{', '.join(most)} or {last}" if most else last


def _useful(found: "SizeRange") -> tuple[str, list[str]]:
    """The sizes that work, from the smallest productive one to the largest that a unit covers, and notes."""
    productive, covered = found.productive, found.covered
    if covered is None:
        return "–", [_why_not(found)]
    notes = [*_productive_notes(productive), *_covered_notes(covered, found.before)]
    least = found.works.next_from(productive.size if productive else 1)
    most = found.works.last_until(covered.size)
    if least is None or most is None or least > most:
        smallest = found.works.smallest
        return "–", [*([f"the smallest that works is {smallest}"] if smallest else []), *notes]
    if least == most:
        return f"{least} alone", notes
    return f"{least} to {most}" if least > 1 else f"up to {most}", notes


def _why_not(found: "SizeRange") -> str:
    if found.unknown:
        return f"unknown: {found.unknown}"
    if found.changing:
        return f"from {found.changing} on, fields depend on the size"
    return "no unit sees by windows alone" if found.before else "no window slides over the input"


def _productive_notes(bound: "SizeBound | None") -> Iterator[str]:
    if bound and bound.size > 1:
        layer = bound.layer
        sees = f"windows of {layer} see" if bound.sees_more else f"{layer} sees"
        yield f"below {bound.size} {sees} nothing new, even by the shortest path"


def _covered_notes(bound: "SizeBound", before: str | None) -> Iterator[str]:
    most = f"{bound.layer} sees most"
    if before is None:
        yield f"above {bound.size} no unit sees all of it; {most}"
    else:
        yield f"above {bound.size} no unit before {before} sees all of it"
        yield f"by windows alone {most}" if bound.sees_more else most
