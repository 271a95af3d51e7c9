"""Column widths of a table in a terminal, and shortened names."""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from archcalc.render.style import display_width, shortened

GAP = 2  # between columns
NARROWEST_TEXT = 12  # the least width of a shortened text
NARROWEST_NAME = 14  # the least width of a name before the last columns are left out
_PAIR = " → "  # between the names of a layer in two networks
_LETTERS = re.compile(r"^([^\W\d_])[^\W\d_]{2,}(.*)$")


class Layout(Struct, gc=False):
    """The widths of columns by number, and the columns that are left out, in order."""

    widths: dict[int, int]
    left_out: list[int]

    @property
    def total(self) -> int:
        """The width of a line in the terminal."""
        return sum(self.widths.values()) + GAP * (len(self.widths) - 1)


def fit(
    widths: dict[int, int], available: int | None, texts: Mapping[int, int], priorities: Sequence[int], shortest: int
) -> Layout:
    """Make a table fit: shorten long texts, leave out unimportant columns, shorten names, then leave out other columns.

    `widths` are the natural widths by column, `texts` the least widths of columns of text. Column 0 has the names,
    whose width is `shortest` if segments are abbreviated.
    """
    layout = Layout(dict(widths), [])
    if available is None:
        return layout
    _narrow(layout, available, texts)
    _leave_out(layout, available, priorities, above=1)
    _narrow_names(layout, available, max(shortest, NARROWEST_NAME))
    _leave_out(layout, available, priorities, above=0)
    _narrow(layout, available, dict.fromkeys(texts, NARROWEST_TEXT))
    _narrow_names(layout, available, NARROWEST_TEXT)
    layout.widths[0] = min(widths[0], layout.widths[0] + max(available - layout.total, 0))
    layout.left_out.sort()
    return layout


def _narrow(layout: Layout, available: int, texts: Mapping[int, int]) -> None:
    """Narrow columns of text, the widest first, until all fit or none can become narrower."""
    while (excess := layout.total - available) > 0:
        widths = layout.widths
        wide = sorted((widths[place], place) for place, least in texts.items() if widths.get(place, 0) > least)
        if not wide:
            return
        width, widest = wide[-1]
        following = max([texts[widest], *(other - 1 for other, _ in wide[:-1])])
        layout.widths[widest] = max(width - excess, min(following, width - 1))


def _leave_out(layout: Layout, available: int, priorities: Sequence[int], above: int) -> None:
    """Leave out columns with a priority above `above`: the highest first, of equal ones the last."""
    while layout.total > available:
        found = max(((priorities[place], place) for place in layout.widths if priorities[place] > above), default=None)
        if found is None:
            return
        layout.widths.pop(found[1])
        layout.left_out.append(found[1])


def _narrow_names(layout: Layout, available: int, least: int) -> None:
    excess = layout.total - available
    if excess > 0:
        layout.widths[0] = max(layout.widths[0] - excess, min(least, layout.widths[0]))


def name_lines(names: Sequence[str], indents: Sequence[int], width: int) -> list[list[str]]:
    """Names of a column in lines of at most a width less their indent, a pair `a → b` in two lines where it has to be.

    The first segments of names become a letter and their number: in all names, and no more segments than needed. So
    `layer4.0.expand.bn` becomes `l4.0.expand.bn`, then `l4.0.e.bn`. Where that is too wide, the middle is left out.
    """
    rooms = [width - indent for indent in indents]
    found = min(_forms(names), key=lambda lines: sum(map(_is_too_wide, lines, rooms)))
    return [[shortened(line, room) for line in lines] for lines, room in zip(found, rooms, strict=True)]


def _forms(names: Sequence[str]) -> Iterator[list[list[str]]]:
    """The names from their longest to their shortest form: more and more segments abbreviated, then pairs parted."""
    levels = range(max((name.count(".") for name in names), default=0) + 1)
    for parted in (False, True) if any(_PAIR in name for name in names) else (False,):
        for level in levels:
            yield [_form(name, level, parted) for name in names]


def _form(name: str, level: int, parted: bool) -> list[str]:
    first, *others = [_abbreviated(path, level) for path in name.split(_PAIR)]
    return [first, *(f" {_PAIR}{other}" for other in others)] if parted else [_PAIR.join([first, *others])]


def _abbreviated(path: str, level: int) -> str:
    """The path with its first segments abbreviated, but never the last one."""
    segments = path.split(".")
    count = min(level, len(segments) - 1)
    return ".".join([*(_LETTERS.sub(r"\1\2", segment) for segment in segments[:count]), *segments[count:]])


def _is_too_wide(lines: Sequence[str], room: int) -> bool:
    return max(map(display_width, lines)) > room


def shortest_width(name: str) -> int:
    """The width of the shortest form of a name that leaves nothing out."""
    return max(map(display_width, _form(name, name.count("."), parted=True)))
