"""Formulas as text: broken between terms, short ones side by side."""

from collections.abc import Iterator, Sequence

from archcalc.errors import printable
from archcalc.render.document import Equation, Equations
from archcalc.render.style import Style, display_width, padded

WIDTH = 80  # of a line, if the terminal's is unknown


def equation_lines(part: Equations, style: Style) -> list[str]:
    """The lines of formulas, no wider than the terminal."""
    width = style.width or WIDTH
    if part.short:
        return _grid([*map(_equation_text, part.equations)], width, part.together)
    labels = [printable(str(equation.left)) for equation in part.equations]
    widest = max(map(display_width, labels), default=0)
    return [
        line
        for label, equation in zip(labels, part.equations, strict=True)
        for line in broken_lines(f"{padded(label, widest)}  ", printable(equation.right.text), width)
    ]


def _equation_text(equation: Equation) -> str:
    left = f"{equation.left} {equation.relation} " if str(equation.left) else ""
    return printable(f"{left}{equation.right}")


def broken_lines(label: str, text: str, width: int) -> list[str]:
    """The lines of a formula behind a label, broken between terms; within brackets only if a term is too wide."""
    lines, indent = [label], " " * len(label)
    for piece in _pieces(text, 0):
        for part in [piece] if len(indent) + len(piece) <= width else _pieces(piece, 1):
            if len(lines[-1]) + len(part) > width and lines[-1].strip() and lines[-1] != label:
                lines.append(indent + part.lstrip())
            else:
                lines[-1] += part
    return lines


def _pieces(text: str, depth: int) -> list[str]:
    """A formula split before each sign between terms that is in at most `depth` brackets."""
    cuts, level = [0], 0
    for place, letter in enumerate(text):
        level += (letter in "(⌊⌈") - (letter in ")⌋⌉")
        if letter in "+−" and place and text[place - 1] == " " and level <= depth:
            cuts.append(place - 1)
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _grid(texts: Sequence[str], width: int, together: int) -> list[str]:
    """Short texts in columns; if there is room, a row has a multiple of `together` texts."""
    widest = max(map(display_width, texts))
    columns = max(1, (width - 2 + 3) // (widest + 3))
    columns -= columns % together if columns > together else 0
    rows = (texts[start : start + columns] for start in range(0, len(texts), columns))
    return ["  " + "   ".join(padded(text, widest) for text in row).rstrip() for row in rows]


def paragraph(headers: Sequence[str], texts: Sequence[str], style: Style) -> Iterator[str]:
    """A row of a table that is too wide: a line with name and type, then each formula behind its header."""
    width = style.width or WIDTH
    name, kind, *formulas = texts
    yield f"{style.bold(name)}  {kind}"
    widest = max(map(len, headers[2:]), default=0)
    for header, text in zip(headers[2:], formulas, strict=True):
        if text != "0":
            yield from broken_lines(f"  {header:<{widest}}  ", text, width)
