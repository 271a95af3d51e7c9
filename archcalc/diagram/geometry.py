"""How large a card is, and where its texts are; in points."""

from typing import NamedTuple

from archcalc.diagram.picture import Card, Row
from archcalc.render.text_table import display_width

PADDING = 8  # beside texts
MARGIN = 4  # above the first and below the last row that is no band
GAP = 16  # between the two texts of a row
NARROWEST = 84


class Lettering(NamedTuple):
    """The size of a row's letters, its height, and whether it is bold."""

    size: float
    height: float
    bold: bool = False


LETTERING = {
    "name": Lettering(13, 18, True),
    "type": Lettering(12, 16),
    "line": Lettering(11, 15),
    "mark": Lettering(11, 15),
    "band": Lettering(11, 16),
}
SHAPE = Lettering(12, 18)  # of the text at the right of a name
FRAME = Lettering(12, 16)  # of the title of a frame

# Widths of Helvetica's letters in thousandths of their size, from its public metrics (AFM), in ASCII order.
_WIDTHS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 "
    "278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 "
    "611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 "
    "556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584 "
)
WIDTHS = {chr(32 + number): int(width) / 1000 for number, width in enumerate(_WIDTHS.split())}
_BOLD = 1.07  # how much wider bold letters are, about
_OTHER = 0.6  # of a letter that is not listed; wide ones take two of a terminal's columns


def text_width(text: str, lettering: Lettering) -> float:
    """How wide a text is, about."""
    widths = (WIDTHS.get(letter) or _OTHER * max(display_width(letter), 1) for letter in text)
    return sum(widths) * lettering.size * (_BOLD if lettering.bold else 1)


def card_size(card: Card) -> tuple[float, float]:
    """Width and height of a card."""
    width = max(map(_row_width, card.rows), default=0) + 2 * PADDING
    height = sum(LETTERING[row.kind].height for row in card.rows) + 2 * MARGIN
    return max(round(width), NARROWEST), height


def _row_width(row: Row) -> float:
    left = text_width(row.left, LETTERING[row.kind])
    return left + (GAP + text_width(row.right, SHAPE) if row.right else 0)
