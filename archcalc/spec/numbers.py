"""Values of a spec among which there are numbers that know more than their values; imported only where there may be."""

from typing import Any, TypeVar

import msgspec

from archcalc.tracing import Number

S = TypeVar("S", bound=msgspec.Struct)


def convert_numbers(data: dict[str, Any], struct: type[S]) -> S | None:
    """`data` as a structure that holds its numbers as they are. Their values are what is checked.

    None if these do not fit, or if there are no such numbers.
    """
    if not _holds_number(data):
        return None
    try:
        checked = msgspec.convert(_values(data), struct)
    except msgspec.ValidationError:
        return None
    fields = {name: getattr(checked, name) for name in struct.__struct_fields__}
    # Direct construction does not validate, which is what lets other numbers in.
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
    """A checked value with the numbers of the one that was written in their places."""
    if isinstance(written, Number):
        return written.whole() if type(checked) is int else written
    if not isinstance(written, list) or not isinstance(checked, list | tuple):
        return checked
    return type(checked)(_restored(*pair) for pair in zip(checked, written, strict=True))
