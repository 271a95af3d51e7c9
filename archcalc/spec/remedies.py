"""Remedies for unknown words and wrong values. Imported only for an error."""

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin

from archcalc.errors import meant, quoted
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Positive
from archcalc.spec.expressions import FUNCTIONS, ExpressionError, names_in
from archcalc.spec.other_names import other_keys, other_names, other_type, other_word
from archcalc.spec.schema import ENTRY_KEYS
from archcalc.spec.values import format_value, is_right
from archcalc.spec.wanted import Wanted, alternatives, constraints, format_annotation, plain, wanted
from archcalc.spelling import closest, plainly

LONG = 5  # letters that another tool's name needs for its misspellings to be recognised
LISTED = 20  # words at most
INPUTS = ("input", "inputs")

# What people write for true and false.
YES = ("yes", "y", "on", "enable", "enabled", "t")
NO = ("no", "n", "off", "disable", "disabled", "f", "none", "null")


# keys


def key_remedy(key: str, known: Collection[str], present: Mapping[str, Any]) -> str:
    """The remedy for an unknown key; `present` are the keys of its table."""
    likely = meant_keys(key, known)
    if key == "input" and "variables" in known and is_right(present[key], list[Positive]):
        return f"write inputs.image = {format_value(present[key])}, with a name of your own"
    if len(likely) == 1:
        small = not isinstance(present.get(key), dict | list)  # a table or list may hold much, and is not dropped
        return f"leave it out: {likely[0]} is there already" if small and likely[0] in present else meant(likely)
    if advice := other_names().key_advice.get(plainly(key)):
        return advice
    if "inputs" in known and "variables" in known and is_right(present.get(key), list[Positive]):
        return f"if it is an input, write inputs.{quoted(key)[1:-1]} = {format_value(present[key])}"
    free = sorted(set(known) - {*present})
    if close := [name for name in likely if name in free] or closest(key, free):
        return meant(close)
    listed = ", ".join(map(quoted, free[:LISTED])) + (", …" if len(free) > LISTED else "")
    return f"known: {listed}" if listed else "leave it out"


def key_remedy_for(
    type_name: str, meant: list[str] | str | None, known: Collection[str], present: Mapping[str, Any], key: str
) -> str:
    """The remedy for a key of an entry of unknown type; `known` are the fields of the types that it may mean."""
    if isinstance(meant, str):  # no type is meant, and its own remedy says what to write
        return f"leave it out: it goes with {quoted(type_name)}"
    return key_remedy(key, (*known, *ENTRY_KEYS), present)


def meant_key(key: str, known: Collection[str]) -> str | None:
    """The key that is meant, by another name or misspelled; None if there is none, or several are equally likely."""
    likely = meant_keys(key, known)
    return likely[0] if len(likely) == 1 else None


def meant_keys(key: str, known: Collection[str]) -> list[str]:
    """The known keys that are the likeliest meaning of `key`."""
    exact = [name for name in known if plainly(name) == plainly(key)]
    others = [name for name in other_keys(key) if name in known]
    if found := exact or others:
        return found[:1]
    # A block's parameter may have any name: another tool's name for the same field matches it.
    alike = [name for name in known if name not in other_names().fields and {*other_keys(name)} & {*other_keys(key)}]
    if len(alike) == 1:
        return alike
    if plainly(key) in other_names().key_advice:
        return []
    close = closest(key, known)
    # `input` and `inputs` differ by a letter: a misspelling does not decide between them.
    return [name for name in INPUTS if name in known] if {*close} & {*INPUTS} else close


@cache
def fields_of_all() -> dict[str, Wanted]:
    """Every field of all layer types, with what it takes in any of them."""
    found: dict[str, Wanted] = {}
    for layer in LAYER_TYPES.values():
        for name, own in wanted(layer).items():
            other = found.get(name, own)
            words = tuple(dict.fromkeys((*other.words, *own.words)))
            found[name] = Wanted(words, other.values or own.values, other.truth and own.truth, other.lists or own.lists)
    return found


# types


def type_remedy(name: str, blocks: Collection[str], dimensions: int | None) -> str:
    """The remedy for an unknown type; `dimensions` is the number of spatial axes of the inputs."""
    found = meant_types(name, blocks, dimensions)
    if isinstance(found, str):
        return found
    return meant(found) if found else "archcalc layers lists the types"


def meant_types(name: str, blocks: Collection[str], dimensions: int | None) -> list[str] | str:
    """The types that an unknown one probably means, or advice where no type has its meaning."""
    known = [*LAYER_TYPES, *blocks]
    if exact := [word for word in known if plainly(word) == plainly(name)]:
        return exact
    close = closest(name, known)
    # A number at the end may belong to another tool's name, but is likelier a block's.
    if name[-1:].isdigit() and close and {*close} <= {*blocks}:
        return close
    if other := other_type(name, dimensions) or _likeliest_first(close, dimensions):
        return other
    others = [*other_names().types, *other_names().advice]
    close = closest(name, [word for word in others if len(word) >= LONG])
    return other_type(close[0], dimensions) if close else []


def _likeliest_first(types: list[str], dimensions: int | None) -> list[str]:
    """Equally similar types, first those for the spatial axes of the inputs."""
    return sorted(types, key=lambda name: not name.endswith(f"{dimensions}d"))


# values


def value_remedy(name: str, value: Any, annotation: Any, written: Any = None) -> str | None:
    """The remedy for a value that a field does not take; None if there is none."""
    parts = [*alternatives(annotation)]
    words = [word for part in parts if get_origin(part) is Literal for word in get_args(part)]
    if isinstance(value, str) and (found := other_word(value, words) or closest(value, words)):
        return meant(found)
    if isinstance(value, float) and isinstance(written, str) and int in map(plain, parts):
        return f'round it: {name} = "int({written})"'
    if name == "inputs" and is_right(value, list[Positive]):
        return f"write inputs.image = {format_value(value)}, with a name of your own"
    if form := _FORMS.get((name, plain(parts[0]))) or _FORMS.get(("", plain(parts[0]))):
        return form
    return next((remedy for part in parts if (remedy := _rewritten(name, value, part))), None)


def _rewritten(name: str, value: Any, annotation: Any) -> str | None:
    """The value nearest to a wrong one that the annotation allows, and how to write it."""
    kind = plain(annotation)
    if get_origin(kind) is Literal:
        return f"use {' or '.join(map(quoted, get_args(kind)))}"
    if kind is bool:
        return f"write {name} = true, or {name} = false"
    if kind in (int, float):
        return f"write a number: {name} = {_near(value, annotation)}"
    return _as_text(name, value) if kind is str else _as_list(name, value, kind)


def _as_text(name: str, value: Any) -> str | None:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        several = name == "input" and len(value) > 1
        return f"write inputs = [{', '.join(map(quoted, value))}]" if several else f"write {name} = {quoted(value[0])}"
    if isinstance(value, str) and "." in value:
        return "full stops separate the names of blocks from those of the layers in them"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"write {name} = {quoted(str(value))}" if number else None


def _as_list(name: str, value: Any, kind: Any) -> str | None:
    of_names = get_origin(kind) is list and get_args(kind)[0] is str
    if of_names and isinstance(value, str):
        return f"write {name} = [{quoted(value)}]"
    numbers = _numbers_in(value)
    example = format_value(numbers) if numbers and is_right(numbers, kind) else _example(kind)
    return f"write a list: {name} = {example}" if example else None


def _example(annotation: Any) -> str | None:
    """A number, or a list of one number, that an annotation allows."""
    part = next(alternatives(annotation))
    if plain(part) in (int, float):
        return str(_near(None, part))
    if get_origin(plain(part)) not in (list, tuple):
        return None
    inner = _example(get_args(plain(part))[0])
    return f"[{inner}]" if inner else None


def _numbers_in(value: Any) -> list[int]:
    """The whole numbers in a value of another kind, such as `"3072"` and `"3x32x32"`."""
    if isinstance(value, str):
        return [*map(int, re.findall("[0-9]+", value))] if _SIZES.fullmatch(value) else []
    number = type(value) is int
    return [value] if number else value if isinstance(value, list) and is_right(value, list[int]) else []


def _near(value: Any, annotation: Any) -> int | float:
    meta, numbers = constraints(annotation), _numbers_in(value)
    least = 1 if meta is None else max(1, meta.ge or 0)
    if len(numbers) == 1 and is_right(numbers[0], annotation):
        return numbers[0]
    near = max(least, round(value)) if isinstance(value, float) else least
    return near if meta is None or meta.le is None else min(near, meta.le)


# A sequence of sizes: 3072, 3x32x32, (3, 32, 32).
_SIZES = re.compile(r"[\s(\[]*\d{1,9}(\s*[x×X,;]\s*\d{1,9})*[\s)\]]*")
# The form of long values, by key and kind; an empty key stands for all keys.
_FORMS: dict[tuple[str, Any], str] = {
    ("inputs", dict[str, Any]): "write inputs.image = [3, 224, 224], with a name of your own",
    ("", list[Positive]): "write the sizes without the batch: [3, 224, 224]",
    ("layers", list[dict[str, Any]]): "write layers = [{ type = … }, { type = … }], or [[layers]] before each",
}


# expressions


def expression_remedy(text: str, name: str, error: ExpressionError, kind: Wanted) -> str | None:
    """The remedy for an expression that cannot be evaluated, as the value of the field `name`."""
    sizes = [*map(int, re.findall("[0-9]+", text))]
    if re.fullmatch(r"[\s(\[]*\d{1,9}(\s*[x×X,;]\s*\d{1,9})+[\s)\]]*", text) and is_right(sizes, kind.annotation):
        return f"write {name} = {sizes}"
    return f"write {format_annotation(kind.annotation)}; {error.help}" if kind.annotation else error.help


def unknown_variable_remedy(
    text: str, name: str, word: str, variables: Collection[str], kind: Wanted, declared: Mapping[str, Any]
) -> str:
    """The remedy for a word in an expression that is not a variable; `declared` are the spec's variables as written."""
    if word in declared and word not in variables:
        return _order_remedy(name, word, declared)
    if name == "repeat" and word == "index":
        return "write the number of copies; index is the number of one copy"
    if word == "index":
        return "index numbers the copies of an entry: add repeat = … to it; pass it to a block as a parameter"
    bare = text.strip() == word
    if bare and kind.truth and word.lower() in YES + NO:
        return f"write {name} = {'true' if word.lower() in YES else 'false'}"
    own = other_word(word, kind.words) if bare else []
    if close := own or closest(word, [*variables, *FUNCTIONS, *kind.words]):
        return meant(close)
    known = sorted({*variables} - {"training"})
    listed = f"; known: {', '.join(map(quoted, known[:LISTED]))}" if known else ""
    addition = f"add {word} = … to [variables]{listed}"
    return f"{_instead(word, kind)}; or {addition}" if bare else addition


def _instead(word: str, kind: Wanted) -> str:
    """What to write in place of a word that is not a variable."""
    if kind.annotation is not None:
        return f"write {format_annotation(kind.annotation)}"
    if word in LAYER_TYPES or word in other_names().types:
        return "write a number, true or false, or a list: a layer type is not a value"
    return "write a number, true or false, or a list"


def _order_remedy(name: str, word: str, declared: Mapping[str, Any]) -> str:
    """The remedy for a variable that is used before it is declared, or in its own value."""
    value = declared[word]
    if name == word or (isinstance(value, str) and name in names_in(value)):
        return f"give {word} a value of its own"
    return f"variables are read in their order: move {word} before {name}"
