"""What values a field takes, from its annotation, and how messages describe them in the words of TOML."""

from collections.abc import Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from archcalc.errors import quoted


class Wanted(Struct, frozen=True, gc=False):
    """What values a field takes.

    `words` are texts that it takes literally; `values`: it also takes other values, which expressions may compute.
    """

    words: tuple[str, ...] = ()
    values: bool = True
    truth: bool = False  # true or false
    lists: bool = True
    annotation: Any = None  # the whole type


ANYTHING = Wanted()
ITEM = Wanted(annotation=float)  # an item of a list


@cache
def wanted(struct: type[msgspec.Struct]) -> dict[str, Wanted]:
    """What each field of a structure takes, by name."""
    # msgspec.structs.fields would take long for all types at every start.
    annotations = {
        name: annotation
        for base in reversed(struct.__mro__)
        for name, annotation in vars(base).get("__annotations__", {}).items()
    }
    return {name: _wanted(annotations[name]) for name in struct.__struct_fields__}


def _wanted(annotation: Any) -> Wanted:
    parts = [*alternatives(annotation)]
    words = tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))
    others = [part for part in parts if get_origin(part) is not Literal]
    return Wanted(words, bool(others), bool in others, any(map(_is_list, parts)), annotation)


def alternatives(annotation: Any) -> Iterator[Any]:
    """The members of a union, without None, which TOML lacks; else the annotation itself."""
    inside = plain(annotation)
    if get_origin(inside) in (Union, UnionType):
        for part in get_args(inside):
            yield from alternatives(part)
    elif annotation is not NoneType:
        yield annotation


@cache
def format_annotation(annotation: Any) -> str:
    """An annotation in words: `a whole number ≥ 1, or a list of these`."""
    parts = [*alternatives(annotation)]
    scalars = [_phrase(part) for part in parts if not _is_list(part) and get_origin(part) is not Literal]
    lists = [_list_phrase(part, parts) for part in parts if _is_list(part)]
    words = [quoted(word) for part in parts if get_origin(part) is Literal for word in get_args(part)]
    kinds = [*scalars, *lists]
    if words:
        kinds.append(_joined(words))
    return ", or ".join(kinds) if len(kinds) < 3 else f"{', '.join(kinds[:-1])}, or {kinds[-1]}"


def _joined(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def plain(annotation: Any) -> Any:
    """An annotation without its constraints."""
    return annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation


def constraints(annotation: Any) -> msgspec.Meta | None:
    """The constraints of an annotation."""
    found: msgspec.Meta | None = annotation.__metadata__[0] if hasattr(annotation, "__metadata__") else None
    return found


def _is_list(annotation: Any) -> bool:
    return plain(annotation) is list or get_origin(plain(annotation)) in (list, tuple)


def _list_phrase(annotation: Any, beside: list[Any]) -> str:
    """A list type in words; its items are "these" if the union names them already."""
    meta = constraints(annotation)
    if meta is not None and (meta.min_length, meta.max_length) == (2, 2):
        return "a pair [before, after]"
    inner = [*alternatives(get_args(plain(annotation))[0])]
    names = ["names" if part is str else "these" if part in beside else _plural(part) for part in inner]
    filled = " that is not empty" if meta is not None and meta.min_length else ""
    return f"a list of {' or '.join(names)}{filled}"


def _plural(annotation: Any) -> str:
    if _is_list(annotation):
        text = _list_phrase(annotation, [])
        return text.replace("a pair", "pairs", 1).replace("a list", "lists", 1)
    text = _phrase(annotation)
    return text.removeprefix("a ").replace("number", "numbers", 1).replace("table", "tables", 1)


_TERMS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    dict: "a table",
    Any: "anything",
}


def _phrase(annotation: Any) -> str:
    kind, meta = plain(annotation), constraints(annotation)
    text = _TERMS[get_origin(kind) or kind]
    if meta is None:
        return text
    if text == "text":
        return _text_phrase(meta)
    bounds = {"≥": meta.ge, ">": meta.gt, "≤": meta.le, "<": meta.lt}
    limits = [f"{sign} {_bound(bound)}" for sign, bound in bounds.items() if bound is not None]
    return " ".join([text, " and ".join(limits)]).strip()


def _text_phrase(meta: msgspec.Meta) -> str:
    if meta.description:
        return meta.description.partition(":")[0]  # an expression
    length = " that is not empty" if meta.min_length else ""
    if meta.max_length:
        length = f" of {meta.min_length or 0} to {meta.max_length} letters"
    return f"text{length}" + (" without a full stop" if meta.pattern else "")


def _bound(bound: float) -> str:
    bits = int(bound).bit_length() - 1
    return f"2^{bits}" if bits > 20 and bound == 2**bits else f"{bound}"
