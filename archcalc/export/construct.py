"""What is written where a module is made: a call of its class, or several in a row."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from archcalc.layers.base import Layer, Module


class Mark(Enum):
    """Places of a run beside those of arguments, whose names may be any."""

    COUNT = "copies"
    STEP = "step"


COUNT, STEP = Mark.COUNT, Mark.STEP
Slot = tuple[str | int | Mark, ...]  # where a value stands in a construct


class Absent:
    """Stands in for a value in an instance that lacks the module."""


ABSENT = Absent()
LISTED = 2  # copies that are written out


class Make(NamedTuple):
    """A call of a class. `defaults` are the values of options that are not given, as far as they are known."""

    name: str
    arguments: dict[str, Any]
    options: dict[str, Any]
    defaults: dict[str, Any]


class Run(NamedTuple):
    """The same construct several times; each time the arguments in `steps` are larger by that."""

    construct: "Construct"
    times: int
    steps: tuple[tuple[str, int], ...] = ()


class Series(NamedTuple):
    """Modules in a container that numbers them."""

    name: str
    runs: tuple[Run, ...]


Construct = Make | Series


def make_layer(layer: Layer, module: Module) -> Make:
    """The call that makes a layer's module."""
    return Make(module.name, module.arguments, module.options, _defaults(layer, module))


def _defaults(layer: Layer, module: Module) -> dict[str, Any]:
    """What the module takes for options that are not given: the field's default, where option and field are one."""
    found = {field: value for field, value in layer.defaults().items() if _is_field(layer, module, field, value)}
    return found | ({"padding": 0} if "padding" in layer.__struct_fields__ and "ends" not in module.options else {})


def _is_field(layer: Layer, module: Module, field: str, default: Any) -> bool:
    return bool(getattr(layer, field) == module.options.get(field, default))


def in_series(name: str, constructs: list[Construct]) -> Series:
    """Constructs in a row, equal neighbours together."""
    runs: list[Run] = []
    for construct in constructs:
        if runs and equal(runs[-1].construct, construct):
            runs[-1] = runs[-1]._replace(times=runs[-1].times + 1)
        else:
            runs.append(Run(construct, 1))
    growing = _growing(constructs) if len(runs) == len(constructs) > LISTED else None
    return Series(name, (growing,) if growing else tuple(runs))


def _growing(constructs: list[Construct]) -> Run | None:
    """Calls of one class as a single run, if their arguments grow by the same step from each to the next."""
    first, calls = constructs[0], [one for one in constructs if isinstance(one, Make)]
    if not isinstance(first, Make) or len(calls) < len(constructs) or any(form(one) != form(first) for one in calls):
        return None
    steps: dict[str, int] = {}
    for name in dict.fromkeys(str(name) for call in calls for (name,) in slots(call)):
        values = [value_at(call, (name,)) for call in calls]
        if any(repr(value) != repr(values[0]) for value in values):
            if any(type(value) is not int for value in values):
                return None
            steps[name] = values[1] - values[0]
            if values != [values[0] + steps[name] * index for index in range(len(values))]:
                return None
    written = {name: value_at(first, (name,)) for name in steps if name not in first.arguments}
    return Run(first._replace(options=first.options | written), len(calls), tuple(steps.items()))


def align(rows: list[Series]) -> list[Series]:
    """The first copy by itself and the rest as one, in all rows of one form, if some of them are made so."""
    alike: dict[Any, list[int]] = {}
    for number, row in enumerate(rows):
        forms = {form(run.construct) for run in row.runs}
        begins = len(row.runs) == 1 or (len(row.runs) == 2 and row.runs[0].times == 1)
        if begins and len(forms) == 1 and not any(run.steps for run in row.runs):
            alike.setdefault(forms.pop(), []).append(number)
    parted = (numbers for numbers in alike.values() if any(len(rows[one].runs) == 2 for one in numbers))
    apart = {number for numbers in parted for number in numbers}
    return [_first_apart(row) if number in apart else row for number, row in enumerate(rows)]


def align_lists(rows: list[Series], items: list[list[Construct]]) -> list[Series]:
    """The same for lists whose modules are called one by one: module by module where that makes rows differ in form."""
    aligned = align(rows)
    if len({*map(form, aligned)}) == 1:
        return aligned
    return [row._replace(runs=tuple([Run(item, 1) for item in own])) for row, own in zip(rows, items, strict=True)]


def _first_apart(row: Series) -> Series:
    first, *rest = row.runs
    return row._replace(runs=(first._replace(times=1), *(rest or [first._replace(times=first.times - 1)])))


def equal(one: Construct, other: Construct) -> bool:
    """Whether two constructs are written alike."""
    return one == other and repr(one) == repr(other)  # 1 and True are equal, and not alike


def form(construct: Construct) -> tuple[Any, ...]:
    """What constructs must have in common to be written by one text with some other values."""
    if isinstance(construct, Series):
        return construct.name, *((form(run.construct), *(name for name, _ in run.steps)) for run in construct.runs)
    open_options = sorted(option for option in construct.options if option not in construct.defaults)
    return construct.name, (*construct.arguments,), (*open_options,)


def slots(construct: Construct) -> Iterator[Slot]:
    """Where values stand."""
    if isinstance(construct, Series):
        for number, run in enumerate(construct.runs):
            yield number, COUNT
            yield from ((number, *slot) for slot in slots(run.construct))
            yield from ((number, name, STEP) for name, _ in run.steps)
    else:
        yield from ((name,) for name in (*construct.arguments, *construct.options))


def value_at(construct: Construct | None, slot: Slot) -> Any:
    """The value that stands somewhere, ABSENT if there is none."""
    if construct is None:
        return ABSENT
    if isinstance(construct, Series):
        number, *rest = slot
        assert isinstance(number, int)
        run = construct.runs[number]
        if rest == [COUNT]:
            return run.times
        if rest[-1] == STEP and len(rest) == 2:
            return dict(run.steps)[str(rest[0])]
        return value_at(run.construct, tuple(rest)) if run.times else ABSENT
    (name,) = slot
    for values in (construct.arguments, construct.options, construct.defaults):
        if name in values:
            return values[str(name)]
    return ABSENT
