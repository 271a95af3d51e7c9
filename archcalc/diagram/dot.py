"""Writes a diagram as DOT text: cards as tables, or as empty boxes of their size that `svg.py` fills."""

from collections.abc import Iterable, Mapping
from html import escape
from math import ceil
from types import MappingProxyType
from typing import Any

from archcalc.diagram.frame_titles import frame_titles, title_room
from archcalc.diagram.geometry import APART, FRAME, LETTERING, SHAPE, card_size
from archcalc.diagram.lettering import Lettering
from archcalc.diagram.picture import Arrow, BlockFrame, Card, CardLine, Diagram, boxes_in
from archcalc.diagram.style import FONTS, STYLES, DrawingStyle, Paint

_TITLE, _NOTE = Lettering(16, 20, bold=True), Lettering(11, 15)
_IN_A_ROW = 4  # entries of the legend per row
LONGEST = 16_000  # bytes of a value
POINTS = 72  # in an inch


def to_dot(picture: Diagram, boxes: bool = False, wider: Mapping[str, float] = MappingProxyType({})) -> str:
    """Write a diagram as DOT. With `boxes`, cards are empty boxes of their size and there is no title.

    `wider` has the extra width of frames in points, by identifier.
    """
    from graphviz import Digraph

    style = STYLES[picture.look.style]
    font = FONTS.replace(", ", ",")
    graph = Digraph("archcalc")
    graph.attr(
        rankdir=picture.look.direction,
        bgcolor=style.background,
        nodesep=f"{APART / POINTS:g}",
        ranksep="0.3",
        fontname=font,
        pad="0.1",
    )
    if not boxes and (head := _head(picture, style)):
        graph.attr(labelloc="t", label=head)
    graph.attr("node", shape="box" if boxes else "plain", fontname=font, fontcolor=style.text)
    graph.attr("edge", fontname=font, fontsize="10", color=style.edge, fontcolor=style.muted, arrowsize="0.6")
    _add(graph, picture.parts, style, _rooms(picture, wider) if boxes else None)
    for number, arrow in enumerate(picture.arrows):
        graph.edge(f"n{arrow.source}", f"n{arrow.target}", id=f"edge-{number}", **_arrow(arrow))
    return str(graph.source)


def _add(graph: Any, parts: Iterable[Card | BlockFrame], style: DrawingStyle, rooms: Mapping[str, str] | None) -> None:
    """Add parts. With `rooms`, cards are empty boxes, and the labels of frames reserve room for their titles."""
    for part in parts:
        if isinstance(part, Card):
            graph.node(f"n{part.number}", **_card(part, style, rooms is not None))
            continue
        with graph.subgraph(name=f"cluster_{part.number}") as frame:
            label = format_literal(frame_title(part)) if rooms is None else rooms[part.identifier]
            font = {} if rooms is None else {"fontname": "Courier"}
            frame.attr(label=label, **font, **_frame(part, style))
            _add(frame, part.parts, style, rooms)


def _frame(box: BlockFrame, style: DrawingStyle) -> dict[str, str]:
    return {
        "id": box.identifier,
        "labeljust": "l",
        "fontsize": f"{FRAME.size:g}",
        "fontcolor": style.muted,
        "style": "rounded,filled",
        "fillcolor": style.frame.fill,
        "color": style.frame.line,
        "margin": "10",
        "tooltip": format_literal(box.tip),
    }


def frame_title(box: BlockFrame) -> str:
    """The title of a frame."""
    return f"{box.title}   ×{box.copies}" if box.copies > 1 else box.title


def _rooms(picture: Diagram, wider: Mapping[str, float]) -> dict[str, str]:
    """A placeholder label for each frame, with room for its title beside an arrow to the middle.

    The labels are in Courier, whose letters Graphviz measures as 0.6 of their size.
    """
    titles, rooms = frame_titles(picture), dict[str, str]()
    for box in boxes_in(picture.parts):
        lines = titles[box.identifier]
        width = title_room(box, lines) + wider.get(box.identifier, 0.0)
        rooms[box.identifier] = "x" * ceil(width / (0.6 * FRAME.size)) + r"\nx" * (len(lines) - 1)
    return rooms


def _card(card: Card, style: DrawingStyle, boxes: bool) -> dict[str, str]:
    classes = " ".join(card.classes)
    classes = classes if len(classes) < LONGEST else ""  # Graphviz reads no longer values
    shared = {"id": card.identifier, "class": classes, "tooltip": format_literal(card.tip)}
    shared = {name: value for name, value in shared.items() if value}
    if not boxes:
        return {**shared, "label": _table(card, style)}
    width, height = card_size(card)
    sizes = {"width": f"{width / POINTS:.4f}", "height": f"{height / POINTS:.4f}"}
    return {**shared, **sizes, "label": "", "fixedsize": "true"}


def _arrow(arrow: Arrow) -> dict[str, str]:
    if arrow.kind == "weights":
        return {"style": "dotted", "constraint": "false", "arrowhead": "open"}
    weight = {"weight": "8"} if arrow.is_main else {}
    return {**weight, "label": format_literal(f" {arrow.text} ")} if arrow.text else weight


def format_literal(text: str) -> str:
    """A text as the value of an attribute, with backslashes and entities escaped."""
    from graphviz import escape as literal

    # Its type keeps <…> from being read as a table.
    literally: str = literal(text.replace("&", "&amp;"))
    return literally


# tables


def _table(card: Card, style: DrawingStyle) -> str:
    fill, line = ground(card, style), border(card, style)
    dashes = "STYLE='DASHED' " if card.dashed else ""
    width = f"BORDER='{2 if card.copies > 1 else 1}'"
    rows = "".join(f"{'<HR/>' * (row.kind == 'band')}{_row(row, card, style)}" for row in card.rows)
    head = f"<TABLE {width} {dashes}CELLBORDER='0' CELLSPACING='0' CELLPADDING='3' COLOR='{line}' BGCOLOR='{fill}'>"
    return f"<{head}{rows}</TABLE>>"


def ground(card: Card, style: DrawingStyle) -> str:
    """The fill colour of a card; pale for a frozen one."""
    if card.heat is not None:
        return style.heated(card.heat)
    fill = style.paint(card.color).fill
    return style.pale(fill) if card.frozen else fill


def border(card: Card, style: DrawingStyle) -> str:
    """The colour of a card's border; neutral if the fill shows a quantity."""
    return style.muted if card.heat is not None else style.paint(card.color).line


def _row(row: CardLine, card: Card, style: DrawingStyle) -> str:
    lettering = LETTERING[row.kind]
    color = f" BGCOLOR='{style.paint(row.color).fill}'" if row.kind == "band" and card.heat is None else ""
    ink = style.muted if row.kind in ("line", "mark", "band") and card.heat is None else style.text
    left = _text(row.left, lettering, ink)
    if not row.right:
        return f"<TR><TD ALIGN='LEFT' COLSPAN='2'{color}>{left}</TD></TR>"
    right = _text(f"\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}{row.right}", SHAPE, ink)
    return f"<TR><TD ALIGN='LEFT'{color}>{left}</TD><TD ALIGN='RIGHT'{color}>{right}</TD></TR>"


def _text(text: str, lettering: Lettering, color: str) -> str:
    bold = ("<B>", "</B>") if lettering.bold else ("", "")
    return f"<FONT POINT-SIZE='{lettering.size:g}' COLOR='{color}'>{bold[0]}{html(text)}{bold[1]}</FONT>"


def html(text: str) -> str:
    """A text as a label, with tags, entities and Graphviz's own escapes escaped."""
    return escape(text).replace("\\", "&#92;&#92;")


def _head(picture: Diagram, style: DrawingStyle) -> str:
    texts = *zip(picture.titles, (_TITLE, _NOTE), strict=False), *((text, _NOTE) for text in picture.explanations)
    lines = [_text(text, lettering, style.text if lettering.bold else style.muted) for text, lettering in texts]
    rows = [f"<TR><TD ALIGN='LEFT' COLSPAN='{2 * _IN_A_ROW}'>{line}</TD></TR>" for line in lines]
    entries = [
        f"<TD BGCOLOR='{paint.fill}' COLOR='{paint.line}' BORDER='1' WIDTH='12'> </TD>"
        f"<TD ALIGN='LEFT'>{_text(text, _NOTE, style.muted)}</TD>"
        for paint, text in legend(picture)
    ]
    rows += [f"<TR>{''.join(entries[start : start + _IN_A_ROW])}</TR>" for start in range(0, len(entries), _IN_A_ROW)]
    table = f"<TABLE BORDER='0' CELLBORDER='0' CELLSPACING='2'>{''.join(rows)}</TABLE>"
    return f"<{table}>" if rows else ""


def legend(picture: Diagram) -> list[tuple[Paint, str]]:
    """The colours of the diagram with their meanings; empty if all are alike, or without a legend."""
    style = STYLES[picture.look.style]
    if not picture.look.legend:
        return []
    if picture.heat:
        return [(Paint(style.heated(share), style.muted), text) for share, text in picture.heat.legend()]
    entries = [(style.paint(color), text) for color, text in picture.legend.items()]
    return entries if len({paint for paint, _ in entries}) > 1 else []
