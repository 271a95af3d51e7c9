"""CSS rules that replace the colours of the light style by the dark ones on a dark screen."""

from collections.abc import Iterator

from archcalc.diagram.style import STYLES, DrawingStyle


def dark_rules() -> str:
    """The rules, for drawings in an element of the class `diagram`."""
    fills, strokes = (dict(pairs(STYLES["color"], STYLES["dark"])) for pairs in (_fills, _strokes))
    rules = [f'.diagram [fill="{light}"] {{ fill: {dark}; }}' for light, dark in fills.items()]
    rules += [f'.diagram [stroke="{light}"] {{ stroke: {dark}; }}' for light, dark in strokes.items()]
    return "@media screen and (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}\n"


def _fills(light: DrawingStyle, dark: DrawingStyle) -> Iterator[tuple[str, str]]:
    for color, paint in light.paints.items():
        other = dark.paints[color]
        yield paint.fill, other.fill
        yield light.pale(paint.fill), dark.pale(other.fill)
    yield light.background, dark.background
    yield light.frame.fill, dark.frame.fill
    yield light.text, dark.text
    yield light.muted, dark.muted


def _strokes(light: DrawingStyle, dark: DrawingStyle) -> Iterator[tuple[str, str]]:
    yield from ((paint.line, dark.paints[color].line) for color, paint in light.paints.items())
    yield light.frame.line, dark.frame.line
    yield light.frame.fill, dark.frame.fill  # for halos of letters
    yield light.background, dark.background
    yield light.edge, dark.edge
