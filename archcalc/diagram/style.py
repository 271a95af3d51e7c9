"""Colours and sizes of pictures."""

from typing import NamedTuple

UNKNOWN = -1.0  # a share that is unknown
FONTS = "Helvetica, Arial, Liberation Sans, sans-serif"  # all but the last have letters of the same widths


class Paint(NamedTuple):
    """Fill and line colour."""

    fill: str
    line: str


class DrawingStyle(NamedTuple):
    """The colours of a drawing. `paints` are by family of layer; `heat` is the scale from 0 to the maximum."""

    background: str
    text: str
    muted: str
    edge: str
    frame: Paint
    paints: dict[str, Paint]
    heat: tuple[str, str]
    heat_text: str  # on the hottest fill

    def paint(self, color: str) -> Paint:
        """The paint of a family; of `shaping` for a family without its own."""
        return self.paints.get(color) or self.paints["shaping"]

    def heated(self, share: float) -> str:
        """The fill for a share from 0 to 1, or UNKNOWN."""
        if share == UNKNOWN:
            return self.paints["shaping"].fill
        return mixed(*self.heat, share)

    def pale(self, fill: str) -> str:
        """The fill of a frozen layer."""
        return mixed(fill, self.background, 0.6)


def mixed(one: str, other: str, share: float) -> str:
    """The colour between two colours at a share from 0 to 1."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _channels(color: str) -> tuple[int, ...]:
    return tuple(int(color[start : start + 2], 16) for start in (1, 3, 5))


_LIGHT = {
    "convolution": Paint("#d3e4f8", "#3f78b5"),
    "pooling": Paint("#f9d8d2", "#bf5b48"),
    "normalization": Paint("#ece7c6", "#8d8135"),
    "activation": Paint("#fde5bd", "#c48a2a"),
    "dense": Paint("#d3ecd1", "#45904b"),
    "shaping": Paint("#e7e8ea", "#7c838c"),
    "merging": Paint("#e4d8f2", "#7d57ab"),
    "attention": Paint("#f8d6e7", "#b54a82"),
    "graph": Paint("#cbebe7", "#2f8d83"),
    "block": Paint("#e3e9f0", "#5f7287"),
    "end": Paint("#ffffff", "#59626d"),
}
_DARK = {
    "convolution": Paint("#1f4468", "#79b0ea"),
    "pooling": Paint("#65332b", "#ec917f"),
    "normalization": Paint("#4b4620", "#cfc26b"),
    "activation": Paint("#543b12", "#f0b95a"),
    "dense": Paint("#1f4725", "#82cf88"),
    "shaping": Paint("#3a4048", "#a3acb7"),
    "merging": Paint("#46316a", "#bb9be6"),
    "attention": Paint("#602a48", "#e88bb8"),
    "graph": Paint("#1a4744", "#6fcdc3"),
    "block": Paint("#2c3846", "#94a9c0"),
    "end": Paint("#14181f", "#aab4c0"),
}

STYLES = {
    "color": DrawingStyle(
        background="#ffffff",
        text="#1c2126",
        muted="#59626d",
        edge="#59626d",
        frame=Paint("#f6f7f9", "#c3c9d1"),
        paints=_LIGHT,
        heat=("#fffdf5", "#e4572e"),
        heat_text="#000000",
    ),
    "paper": DrawingStyle(
        background="#ffffff",
        text="#000000",
        muted="#000000",
        edge="#000000",
        frame=Paint("#ffffff", "#8a8a8a"),
        paints=dict.fromkeys(_LIGHT, Paint("#ffffff", "#000000")),
        heat=("#ffffff", "#8f8f8f"),
        heat_text="#000000",
    ),
    "dark": DrawingStyle(
        background="#14181f",
        text="#eef1f5",
        muted="#a9b3bf",
        edge="#9aa5b1",
        frame=Paint("#1b2129", "#4a5563"),
        paints=_DARK,
        heat=("#232a33", "#c23f51"),
        heat_text="#ffffff",
    ),
}
