"""Converts data with symbolic or tracing numbers to typed structures; imported only where there may be any."""

from typing import Any, TypeVar

import msgspec

from archcalc.tracing import Number

S = TypeVar("S", bound=msgspec.Struct)


def convert_numbers(data: dict[str, Any], struct: type[S]) -> S | None:
    """`data` as a structure that keeps its `Number`s; their plain values are validated.

    None if the values do not fit, or if the data holds no `Number`.
    """
    if not _holds_number(data):
        return None
    try:
        checked = msgspec.convert(_values(data), struct)
    except msgspec.ValidationError:
        return None
    fields = {name: getattr(checked, name) for name in struct.__struct_fields__}
    # Direct construction does not validate, so that the fields may hold `Number`s.
    return struct(**{name: _restored(value, data.get(name)) for name, value in fields.items()})


def _holds_number(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Number)


def _values(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _values(value) for key, value in data.items()}
    if isinstance(data, list):
        return [*map(_values, data)]
    value = data.value if isinstance(data, Number) else data
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _restored(checked: Any, written: Any) -> Any:
    """A validated value with the written `Number`s put back in their places."""
    if isinstance(written, Number):
        return written.whole() if type(checked) is int else written
    if not isinstance(written, list) or not isinstance(checked, list | tuple):
        return checked
    return type(checked)(_restored(*pair) for pair in zip(checked, written, strict=True))
