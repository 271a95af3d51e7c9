"""The titles of frames, in one line or two, and their widths."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from archcalc.diagram.geometry import APART, BESIDE, FRAME, FRAME_MARGIN, TIMES_GAP, card_size
from archcalc.diagram.lettering import text_width
from archcalc.diagram.picture import BlockFrame, Diagram, boxes_in, cards_in

TitleLines = tuple[str, ...]


def frame_titles(picture: Diagram) -> dict[str, TitleLines]:
    """The lines of the titles, by identifier: name and type have a line each if one line is wider than the cards."""
    readers: defaultdict[int, list[int]] = defaultdict(list)
    for arrow in picture.arrows:
        if arrow.kind == "data":
            readers[arrow.source].append(arrow.target)
    is_down = picture.look.direction == "TB"
    return {box.identifier: _title(box, readers, is_down) for box in boxes_in(picture.parts)}


def _title(box: BlockFrame, readers: Mapping[int, list[int]], is_down: bool) -> TitleLines:
    if not box.block or title_room(box, (box.title,)) <= _content_width(box, readers, is_down):
        return (box.title,)
    return box.name, box.block


def title_width(box: BlockFrame, lines: TitleLines) -> float:
    """The width of a title, with the number of copies after its last line."""
    copies = TIMES_GAP + text_width(f"×{box.copies}", FRAME._replace(bold=True)) if box.copies > 1 else 0.0
    return max(*(text_width(line, FRAME) for line in lines), text_width(lines[-1], FRAME) + copies)


def title_room(box: BlockFrame, lines: TitleLines) -> float:
    """The width of a frame whose title has room beside an arrow to the middle."""
    return 2 * (title_width(box, lines) + FRAME_MARGIN) + BESIDE


def _content_width(box: BlockFrame, readers: Mapping[int, list[int]], is_down: bool) -> float:
    """The approximate width of the cards in a frame; each card is one row below the cards that it reads."""
    widths = {card.number: card_size(card)[0] for card in cards_in(box.parts)}
    ranks = dict.fromkeys(sorted(widths), 0)
    for number in ranks:
        for reader in readers.get(number, ()):
            if reader in ranks:
                ranks[reader] = max(ranks[reader], ranks[number] + 1)
    rows: defaultdict[int, list[float]] = defaultdict(list)
    for number, rank in ranks.items():
        rows[rank].append(widths[number])
    return max(map(_in_a_row, rows.values())) if is_down else _in_a_row(map(max, rows.values()))


def _in_a_row(widths: Iterable[float]) -> float:
    found = [*widths]
    return sum(found) + APART * (len(found) - 1) + 2 * FRAME_MARGIN
