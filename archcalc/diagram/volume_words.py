"""Captions of volumes, and operations between them."""

from archcalc.diagram.drawing import line_width, short
from archcalc.diagram.volume_row import Volume
from archcalc.layers.base import size_text
from archcalc.render.words import local_name

_LINES = 3  # of operations before a volume, and of operations after it
_OPERATION = 10.0  # the font size of operations


def format_name(volume: Volume) -> str:
    """The name of a volume, or its first and last names without a common ending such as `.conv`."""
    first, last = volume.names[0], volume.names[-1]
    if first == last:
        return short(first, 22)
    end = first.rpartition(".")[2]
    if last.rpartition(".")[2] == end and "." in first:
        first, last = first.removesuffix(f".{end}"), last.removesuffix(f".{end}")
    last = local_name(last, first[: first.rfind(".") + 1])
    return f"{short(first, 22)} … {short(last, 14)}"


def caption(volume: Volume) -> list[tuple[str, float, str]]:
    """The lines below a volume: text, font size, font weight."""
    times = f" ({len(volume.names)}×)" if len(volume.names) > 1 else ""
    lines = [(format_name(volume), 11.0, "bold"), (size_text(volume.shape) + times, 11.0, "normal")]
    if len(volume.sizes) == 3 and not volume.is_bar:
        frames = volume.sizes[0]
        lines.append((f"{frames} frame{'s' * (frames > 1)}", 10.0, "normal"))
    return lines


def caption_width(volume: Volume) -> float:
    """The width of the caption in pixels."""
    return max(line_width(text, size, weight == "bold") for text, size, weight in caption(volume))


def operation(volume: Volume) -> list[str]:
    """The lines of the operations that compute a volume, and of later operations that keep its shape."""
    kinds = [*dict.fromkeys(volume.operations)]
    if len(kinds) > 1:
        more = [f"{len(volume.names)} layers"] if len(kinds) > _LINES else []
        lines = [*(kind.replace(", stride ", " /") for kind in kinds[:_LINES]), *more]
    else:
        times = f"{len(volume.names)} × " if len(volume.names) > 1 else ""
        lines = [part for kind in kinds for part in f"{times}{kind}".split(", ")]
    then = [*dict.fromkeys(volume.then)][:_LINES]
    lines += [f"({volume.branches} in branches)"] if volume.branches else []
    return [*(short(line, 26) for line in lines), *(short(f"+ {word}", 26) for word in then)]


def operation_width(volume: Volume) -> float:
    """The width of the lines of operations in pixels."""
    return max((line_width(line, _OPERATION) for line in operation(volume)), default=0.0)
