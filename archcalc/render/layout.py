"""Column widths of a table in a terminal, and shortened names."""

import re
from collections.abc import Collection, Sequence

from msgspec import Struct

from archcalc.render.style import display_width, shortened

GAP = 2  # between columns
NARROWEST_TEXT = 12  # the least width of a shortened text
NARROWEST_NAME = 14  # the least width of a name before the last columns are left out
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
    widths: dict[int, int], available: int | None, texts: Collection[int], priorities: Sequence[int], shortest: int
) -> Layout:
    """Make a table fit: shorten long texts, leave out unimportant columns, shorten names, then leave out other columns.

    `widths` are the natural widths by column. Column 0 has the names, whose width is `shortest` if segments are
    abbreviated.
    """
    layout = Layout(dict(widths), [])
    if available is None:
        return layout
    _narrow(layout, available, texts)
    _leave_out(layout, available, priorities, above=1)
    _narrow_names(layout, available, max(shortest, NARROWEST_NAME))
    _leave_out(layout, available, priorities, above=0)
    _narrow_names(layout, available, NARROWEST_TEXT)
    layout.left_out.sort()
    return layout


def _narrow(layout: Layout, available: int, texts: Collection[int]) -> None:
    """Narrow columns of text, the widest first, until all fit or none can become narrower."""
    while (excess := layout.total - available) > 0:
        wide = sorted((layout.widths[place], place) for place in texts if layout.widths.get(place, 0) > NARROWEST_TEXT)
        if not wide:
            return
        width, widest = wide[-1]
        following = max([NARROWEST_TEXT, *(other - 1 for other, _ in wide[:-1])])
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


def short_name(name: str, width: int) -> str:
    """A path shortened to a width: first segments become a letter and their number, then the middle is left out.

    `layer4.0.expand.bn` becomes `l4.0.expand.bn`, then `l4.0.e.bn`; the last segment stays as long as it can.
    """
    if display_width(name) <= width:
        return name
    *segments, last = name.split(".")
    for place, segment in enumerate(segments):
        segments[place] = _LETTERS.sub(r"\1\2", segment)
        if display_width(found := ".".join([*segments, last])) <= width:
            return found
    return shortened(found if segments else name, width)


def shortest_name(name: str) -> int:
    """The width of a path whose first segments are all abbreviated."""
    *segments, last = name.split(".")
    return display_width(".".join([*(_LETTERS.sub(r"\1\2", segment) for segment in segments), last]))
