"""Constructs: constructor calls of modules, alone or as a container of several."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from archcalc.layers.base import Layer, Module


class Mark(Enum):
    """Slots of a run that are not arguments; an enum, since an argument may have any name."""

    COUNT = "copies"
    STEP = "step"


COUNT, STEP = Mark.COUNT, Mark.STEP
Slot = tuple[str | int | Mark, ...]  # the path to a value in a construct


class Absent:
    """Replaces a value in an instance that lacks the module."""


ABSENT = Absent()
LISTED = 2  # copies that are listed one by one


class Make(NamedTuple):
    """A constructor call. `defaults` are the known defaults of options that the call leaves out."""

    name: str
    arguments: dict[str, Any]
    options: dict[str, Any]
    defaults: dict[str, Any]


class Run(NamedTuple):
    """The same construct several times; `steps` are the arguments that grow from each to the next, and by how much."""

    construct: "Construct"
    times: int
    steps: tuple[tuple[str, int], ...] = ()


class Series(NamedTuple):
    """A container of numbered modules, such as nn.Sequential."""

    name: str
    runs: tuple[Run, ...]


Construct = Make | Series


def make_layer(layer: Layer, module: Module) -> Make:
    """The constructor call of a layer's module."""
    return Make(module.name, module.arguments, module.options, _defaults(layer, module))


def _defaults(layer: Layer, module: Module) -> dict[str, Any]:
    """The defaults of the module's options: those of the layer's fields with the same names and values."""
    found = {field: value for field, value in layer.defaults().items() if _is_field(layer, module, field, value)}
    return found | ({"padding": 0} if "padding" in layer.__struct_fields__ and "ends" not in module.options else {})


def _is_field(layer: Layer, module: Module, field: str, default: Any) -> bool:
    return bool(getattr(layer, field) == module.options.get(field, default))


def in_series(name: str, constructs: list[Construct]) -> Series:
    """A container of constructs, with equal neighbours as one run."""
    runs: list[Run] = []
    for construct in constructs:
        if runs and equal(runs[-1].construct, construct):
            runs[-1] = runs[-1]._replace(times=runs[-1].times + 1)
        else:
            runs.append(Run(construct, 1))
    growing = _growing(constructs) if len(runs) == len(constructs) > LISTED else None
    return Series(name, (growing,) if growing else tuple(runs))


def _growing(constructs: list[Construct]) -> Run | None:
    """The constructs as a single run, if they call one class with arguments that grow by constant steps."""
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
    """Split the first copy from the rest in all rows of the same form, if some of these rows differ there."""
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
    """Align rows of module lists; if their forms still differ, split every row into its modules."""
    aligned = align(rows)
    if len({*map(form, aligned)}) == 1:
        return aligned
    return [row._replace(runs=tuple([Run(item, 1) for item in own])) for row, own in zip(rows, items, strict=True)]


def _first_apart(row: Series) -> Series:
    first, *rest = row.runs
    return row._replace(runs=(first._replace(times=1), *(rest or [first._replace(times=first.times - 1)])))


def equal(one: Construct, other: Construct) -> bool:
    """Whether two constructs have the same source text."""
    return one == other and repr(one) == repr(other)  # 1 == True, but their texts differ


def form(construct: Construct) -> tuple[Any, ...]:
    """The form of a construct: constructs of the same form differ in values alone."""
    if isinstance(construct, Series):
        return construct.name, *((form(run.construct), *(name for name, _ in run.steps)) for run in construct.runs)
    open_options = sorted(option for option in construct.options if option not in construct.defaults)
    return construct.name, (*construct.arguments,), (*open_options,)


def slots(construct: Construct) -> Iterator[Slot]:
    """The slots of all values in a construct."""
    if isinstance(construct, Series):
        for number, run in enumerate(construct.runs):
            yield number, COUNT
            yield from ((number, *slot) for slot in slots(run.construct))
            yield from ((number, name, STEP) for name, _ in run.steps)
    else:
        yield from ((name,) for name in (*construct.arguments, *construct.options))


def value_at(construct: Construct | None, slot: Slot) -> Any:
    """The value in a slot; ABSENT if there is none."""
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
