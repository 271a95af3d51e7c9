"""Names, and the many ways in which a spec can express a value."""

from collections.abc import Callable, Mapping
from typing import Any

from networks.choice import Choice

Variables = dict[str, Any]

# Legal but awkward names of layers: some have a meaning in Python, PyTorch, TOML, HTML or LaTeX.
ODD_NAMES = [
    "class",
    "lambda",
    "self",
    "torch",
    "nn",
    "x",
    "functional",
    "super",
    "print",
    "None",
    "index",
    "count",
    "0",
    "7",
    "1x",
    "a-b",
    "a b",
    " ",
    "é",
    "größe",
    "层",
    "it's",
    '"q"',
    "{x}",
    "%d",
    "$x$",
    "a&b<c>",
    "a\\b",
    "#1",
    "=1+1",
    "_",
    "__name",
    "weight",
    "bias",
    "values",
    "first",
    "layers",
    "range",
    "input",
    "output",
    "in_channels",
    "Conv",
    "a:b",
    "a/b",
    "𝒙",
    "a\x1b[31mb",
    "a\nb",
    "\t",
    "\x07",
    "\x00",
    "\u202eab",
]
WORDS = [
    "width",
    "depth",
    "k",
    "scale",
    "wide",
    "n",
    "size",
    "stage",
    "rate",
    "step",
    "channels",
    "count",
    "kernel",
    "m",
]


def fresh(choice: Choice, taken: Any, odd: int = 10, prefix: str = "") -> str:
    """A free name, which is odd with this probability. Never a name that an unnamed entry could get."""
    if choice.chance(odd):
        found = prefix + choice.of(ODD_NAMES)
        if found not in taken:
            return found
    number = 1
    letter = prefix or choice.of(["a", "b", "c", "stem", "way", "block"])
    while f"{letter}{number}" in taken:
        number += 1
    return f"{letter}{number}"


def word(choice: Choice, taken: Any) -> str:
    """The name of a variable or a parameter."""
    left = [name for name in WORDS if name not in taken]
    if left:
        return choice.of(left)
    number = 1
    while f"v{number}" in taken:
        number += 1
    return f"v{number}"


def expressed(choice: Choice, value: Any, known: Mapping[str, Any]) -> Any:
    """The value, or an expression of the known variables with this value."""
    if isinstance(value, list):
        same = [name for name, other in known.items() if other == value]
        return choice.of(same) if same and choice.chance(60) else [expressed(choice, item, known) for item in value]
    writers = _WRITERS.get(type(value))
    if writers is None:
        return value
    texts = [text for writer in writers for text in writer(choice, value, known)]
    return choice.of([value, *texts]) if texts else value


def of_lists(choice: Choice, value: list[int], known: Mapping[str, Any]) -> str:
    """Arithmetic on whole lists with this list as result, if possible with a variable in it."""
    lists = [(name, other) for name, other in _of_type(list, known) if len(other) == len(value)]
    number = choice.integer(1, 3)
    found = [
        f"{[item - number for item in value]} + {number}",
        f"{number} + {[item - number for item in value]}",
        f"{[item * number for item in value]} // {number}",
        f"{[item + number for item in value]} - {[number] * len(value)}",
        f"-{[-item for item in value]}",
    ]
    for name, other in lists:
        rest = [one - two for one, two in zip(value, other, strict=True)]
        scaled = [number * two - one for one, two in zip(value, other, strict=True)]
        found += [f"{name} + {rest}", f"{rest} + {name}", f"{number} * {name} - {scaled}"] * 2
    return choice.of(found)


def _of_type(kind: type, known: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in known.items() if type(value) is kind]


def _itself(choice: Choice, value: Any, known: Mapping[str, Any]) -> list[str]:
    """The variables of this value, repeated, since they are drawn more often than arithmetic."""
    return [name for name, other in known.items() if type(other) is type(value) and other == value] * 3


def _item(choice: Choice, value: Any, known: Mapping[str, Any]) -> list[str]:
    found = []
    for name, items in _of_type(list, known):
        for place, item in enumerate(items):
            if type(item) is type(value) and item == value:
                places = [str(place), str(place - len(items))]
                places += [other for other, number in _of_type(int, known) if number == place]
                found.append(f"{name}[{choice.of(places)}]")
    return found


def _sums(choice: Choice, value: int, known: Mapping[str, Any]) -> list[str]:
    found = []
    for name, other in _of_type(int, known):
        less = value - other
        found.append(f"{name} + {less}" if less >= 0 else f"{name} - {-less}")
        if other and value and value % other == 0:
            found.append(f"{value // other} * {name}")
        if value and other and other // value and other // (other // value) == value:
            found.append(f"{name} // {other // value}")
        found.append(f"max({name}, {value})" if other <= value else f"min({value}, {name})")
    return [choice.of(found)] if found else []


def _decisions(choice: Choice, value: Any, known: Mapping[str, Any]) -> list[str]:
    if isinstance(value, bool):
        value, other = str(value), str(not value)
    else:
        other = str(value + choice.integer(1, 3))
    found = []
    for name, truth in _of_type(bool, known):
        found.append(f"{value} if {name} else {other}" if truth else f"{other} if {name} else {value}")
    for name, number in _of_type(int, known):
        found.append(f"{value} if {name} == {number} else {other}")
        found.append(f"{other} if {name} > {number} else {value}")
    return [choice.of(found)] if found else []


def _arithmetic(choice: Choice, value: int, known: Mapping[str, Any]) -> list[str]:
    part = choice.integer(0, max(value, 0))
    forms = [f"{part} + {value - part}", f"({value * 3}) // 3", f"int({value}.5)", f"round({value}.2)"]
    forms += [f"ceil({value - 1}.5)" if value > 0 else f"-{-value}"]
    return [choice.of(forms)]


def _truths(choice: Choice, value: bool, known: Mapping[str, Any]) -> list[str]:
    found = [f"not {name}" for name, truth in _of_type(bool, known) if truth is not value]
    found += [f"{name} {'>=' if value else '<'} {number}" for name, number in _of_type(int, known)]
    found += [f"{name} > 0 {'or' if value else 'and'} {value!s}" for name, _ in _of_type(int, known)]
    return [choice.of(found)] if found else []


def _fractions(choice: Choice, value: float, known: Mapping[str, Any]) -> list[str]:
    found = [f"{value / 2} * 2"]
    found += [f"{name} * {value / other}" for name, other in _of_type(int, known) if other and other & (other - 1) == 0]
    return [choice.of(found)]


def _words(choice: Choice, value: str, known: Mapping[str, Any]) -> list[str]:
    return [name for name, other in known.items() if other == value and type(other) is str] * 3


_WRITERS: dict[type, list[Callable[..., list[str]]]] = {
    int: [_itself, _itself, _item, _item, _sums, _decisions, _arithmetic],
    bool: [_itself, _item, _truths, _decisions],
    float: [_itself, _item, _fractions],
    str: [_words],
}
