"""Sizes of cards and margins of their texts, in points."""

from math import ceil

from archcalc.diagram.lettering import Lettering, text_width
from archcalc.diagram.picture import Card, CardLine

PADDING = 8  # at both sides of a text
MARGIN = 4  # above the first row, and below the last that is no band
ABOVE_BANDS = 3  # above the first band
GAP = 16  # between the two texts of a row
TIMES_GAP = 9  # between a title and a number of copies
NARROWEST = 84
APART = 21.6  # between two cards of a row

LETTERING = {
    "name": Lettering(13, 18, True),
    "type": Lettering(12, 16),
    "line": Lettering(11, 15),
    "mark": Lettering(11, 15),
    "band": Lettering(11, 16),
}
SHAPE = Lettering(12, 18)  # for the shape at the right of a name
FRAME = Lettering(12, 16)  # for the title of a frame
FRAME_MARGIN = 10.0  # beside the title
BESIDE = 24.0  # for an arrow beside a title


def card_size(card: Card) -> tuple[float, float]:
    """The width and height of a card."""
    width = max(map(_row_width, card.rows), default=0) + 2 * PADDING
    height = sum(LETTERING[row.kind].height for row in card.rows) + 2 * MARGIN + ABOVE_BANDS * has_bands(card)
    return max(ceil(width), NARROWEST), height


def has_bands(card: Card) -> bool:
    """Whether a card stands for a chain of layers, in bands below the first."""
    return any(row.kind == "band" for row in card.rows)


def _row_width(row: CardLine) -> float:
    left = text_width(row.left, LETTERING[row.kind])
    return left + (GAP + text_width(row.right, SHAPE) if row.right else 0)
