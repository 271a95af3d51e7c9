"""The classes of a network: one for all instances of a block that differ in values or optional modules alone."""

from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.export.construct import (
    ABSENT,
    COUNT,
    Construct,
    Make,
    Mark,
    Series,
    Slot,
    align,
    align_lists,
    form,
    in_series,
    make_layer,
    slots,
    value_at,
)
from archcalc.export.formulas import FIRST, REST
from archcalc.export.names import class_name, is_plain, is_readable
from archcalc.export.parameters import ConstructorParameters, Parameter
from archcalc.export.sharing import Resolver, SharedLayer, Sharing, find_shared, unit_at
from archcalc.export.weights import MIXED, Weights
from archcalc.module_names import Names
from archcalc.structure import Group, Keys, Step, Unit, called_groups, find_structure, groups_in, is_numbered

MODULE_LIST = "nn.ModuleList"
INPUTS = (("in_channels",), ("in_features",))  # the preferred names for sizes of a block's input
MAX_COMPARED = 20  # classes of a block that are compared with a new one

Source = tuple[Any, int]  # an input by its number, or an output of a step by the step's keys and its number


class Shape(NamedTuple):
    """The properties that all instances of one class share."""

    modules: tuple[tuple[Keys, Any], ...]
    steps: tuple[tuple[Keys, tuple[Source, ...], int], ...]
    outputs: tuple[Source, ...]
    marks: tuple[tuple[Keys, str], ...]
    shared: tuple[SharedLayer, ...]
    is_chain: bool


class Definition:
    """A class. `group` is an instance of the block that has all modules; `texts` holds the expression of each slot."""

    def __init__(self, name: str, shape: Shape, groups: list[Group]) -> None:
        self.name = name
        self.shape = shape
        self.group = groups[0]
        self.groups = groups
        self.modules: dict[Keys, list[Construct | None]] = {}  # one construct per group; None if it lacks the module
        self.parameters: list[Parameter] = []
        self.derived: dict[str, str] = {}  # expressions that the constructor evaluates first
        self.texts: dict[tuple[Keys, Slot], str] = {}  # by slot; the empty slot is for whether the module exists
        self.expressions: dict[Keys, str] = {}  # of steps that need no module
        self.sharing = Sharing({}, {})
        self.aliases: dict[Keys, Keys] = {}  # modules that are the same as another one


class Definitions:
    """All classes of a network, each after the classes that it uses; the network's own is the last.

    With `plain`, every instance of a block is a class of its own, without parameters.
    """

    def __init__(self, context: AnalysisContext, taken: set[str], plain: bool = False) -> None:
        self.context = context
        self.plain = plain
        graph = context.graph
        self.root = find_structure(graph)
        self.weights = Weights(context, self.root)
        self.shared = find_shared(graph, self.root, self.weights, plain)
        self.names = Names(taken, separator="")
        self.name = self.names.add(class_name(graph.name, "Network"))
        self.calls: dict[Group, Construct] = {}
        self.modules = [node.layer.module(context.tensors_at(position)[0]) for position, node in enumerate(graph.nodes)]
        for group in groups_in(self.root):
            group.is_list = (
                not group.is_called and is_numbered(group) and all(map(self._is_module, group.parts.values()))
            )
        self.classes = [definition for groups in self._blocks() for definition in self._define(groups)]

    def _blocks(self) -> Iterator[list[Group]]:
        """The instances of each block, in an order in which a block comes after the blocks that it uses."""
        groups: dict[str | None, list[Group]] = {}
        inner: dict[str | None, dict[str | None, None]] = {}  # ordered, so that the text is deterministic
        for group in called_groups(self.root):
            if not group.has_class:
                continue
            block = group.instance.block if group.instance else None
            groups.setdefault(block, []).append(group)
            inner.setdefault(block, {})
            around = group.parent
            while around is not None and not around.has_class:
                around = around.parent
            if around is not None:
                inner.setdefault(around.instance.block if around.instance else None, {})[block] = None
        for block in TopologicalSorter(inner).static_order():
            yield from [[group] for group in groups[block]] if self.plain else [groups[block]]

    def _define(self, groups: list[Group]) -> Iterator[Definition]:
        instance = groups[0].instance
        block = instance.block if instance else ""
        for shape, alike in self._variants(groups):
            name = self.names.add(class_name(block, "Block")) if instance else self.name
            definition = Definition(name, shape, alike)
            self._fill(definition)
            yield definition

    def _is_module(self, unit: Unit) -> bool:
        return unit.is_called if isinstance(unit, Group) else self.modules[unit].expression is None

    # what instances of a block have in common

    def _variants(self, groups: list[Group]) -> list[tuple[Shape, list[Group]]]:
        self._align([group for group in groups if group.is_chain], "")
        for inner in self._inner_chains(groups):
            self._align(inner, "nn.Sequential")
        found: dict[Shape, list[Group]] = {}
        for group in groups:
            found.setdefault(self._shape(group), []).append(group)
        classes: list[tuple[Shape, list[Group]]] = []
        for shape, alike in sorted(found.items(), key=lambda item: -len(item[0].modules)):
            fitting = (
                others for full, others in classes[:MAX_COMPARED] if self._differs_in_missing(full, shape, others)
            )
            if others := next(fitting, None):
                others.extend(alike)
            else:
                classes.append((shape, alike))
        return classes

    def _inner_chains(self, groups: list[Group]) -> Iterable[list[Group]]:
        """The chains of copies at the same path in several instances of a block."""
        found: dict[Keys, list[Group]] = {}
        for group in groups:
            for step in [] if group.is_chain else group.steps:
                if isinstance(step.unit, Group) and step.unit.instance is None and step.unit.is_chain:
                    found.setdefault(step.keys, []).append(step.unit)
        return found.values()

    def _align(self, chains: list[Group], name: str) -> None:
        """Give the chains of copies of all instances the same form where possible."""
        series = align([self._series(group, name) for group in chains])
        self.calls.update(zip(chains, series, strict=True))

    def _shape(self, group: Group) -> Shape:
        marks = (*self._marks(group),)
        shared = (*self.shared.get(group, ()),)
        if group.is_chain:
            return Shape(
                modules=(((), form(self.calls[group])),),
                steps=(),
                outputs=(),
                marks=marks,
                shared=shared,
                is_chain=True,
            )
        if group.parent is None:
            # The network is not compared with any class.
            return Shape(modules=(), steps=(), outputs=(), marks=marks, shared=shared, is_chain=False)
        sources = _sources(group)
        modules = tuple((step.keys, self._kind(step.unit)) for step in group.steps)
        steps = tuple(
            (step.keys, tuple(sources[edge] for edge in step.inputs), len(step.outputs)) for step in group.steps
        )
        return Shape(
            modules=modules,
            steps=steps,
            outputs=tuple(sources[edge] for edge in group.outputs),
            marks=marks,
            shared=shared,
            is_chain=False,
        )

    def _kind(self, unit: Unit) -> Any:
        return form(self.construct(unit))

    def _marks(self, group: Group) -> Iterator[tuple[Keys, str]]:
        """The states that the class sets for its parts; the state of a whole instance is set by its user."""
        state = self.weights.state(group)
        is_root = group.parent is None
        if is_root:
            yield from (mark for mark in self.weights.marks((), group) if not mark[0])
        units: list[tuple[Keys, Unit]] = [(step.keys, step.unit) for step in group.steps]
        if group.is_chain:
            units = [((key,), part) for key, part in group.parts.items()]
        for keys, unit in units:
            for inner, mark in self.weights.marks(keys, unit):
                if (state.frozen if mark.startswith("requires") else state.dtype) == MIXED:
                    yield inner, mark

    def _differs_in_missing(self, full: Shape, shape: Shape, others: list[Group]) -> bool:
        """Whether replacing modules of the full class by identities makes it the other class."""
        have = {keys for keys, _ in shape.modules}
        missing = {keys for keys, _ in full.modules if keys not in have}
        units = {step.keys: step.unit for step in others[0].steps}
        if not all(self._may_be_missing(keys, units[keys], full) for keys in missing):
            return False
        passed: dict[Source, Source] = {}
        steps = []
        for keys, sources, count in full.steps:
            read = tuple(passed.get(source, source) for source in sources)
            if keys in missing:
                passed[keys, 0] = read[0]
            else:
                steps.append((keys, read, count))
        return shape == Shape(
            modules=tuple(module for module in full.modules if module[0] not in missing),
            steps=tuple(steps),
            outputs=tuple(passed.get(source, source) for source in full.outputs),
            marks=tuple(mark for mark in full.marks if mark[0][:1] not in missing),
            shared=full.shared,
            is_chain=full.is_chain,
        )

    def _may_be_missing(self, keys: Keys, unit: Unit, full: Shape) -> bool:
        """Whether nn.Identity can take the place of a module."""
        (sources, count), *_ = [(sources, count) for step, sources, count in full.steps if step == keys]
        functional = isinstance(unit, int) and self.modules[unit].expression
        used = any(keys[0] in (shared.user[0], shared.owner[0]) for shared in full.shared)
        fits = is_plain(keys[0]) if functional else len(sources) == 1
        return len(keys) == count == 1 and fits and not used

    # the text of a class

    def construct(self, unit: Unit) -> Construct:
        """The construct of a unit."""
        if isinstance(unit, int):
            return make_layer(self.context.graph.nodes[unit].layer, self.modules[unit])
        if unit not in self.calls:
            self.calls[unit] = self._series(unit, "nn.Sequential")
        return self.calls[unit]

    def _series(self, group: Group, name: str) -> Series:
        return in_series(name, [self.construct(part) for part in group.parts.values()])

    def _fill(self, definition: Definition) -> None:
        for number, group in enumerate(definition.groups):
            for keys, construct in self._constructs(group):
                found = definition.modules.setdefault(keys, [None] * len(definition.groups))
                found[number] = construct
        self._align_lists(definition)
        definition.expressions = {} if definition.shape.is_chain else self._expressions(definition)
        self._share(definition)
        if definition.group.parent is None:
            return
        self._parametrize(definition)
        for number, group in enumerate(definition.groups):
            self.calls[group] = _call(definition, number)

    def _align_lists(self, definition: Definition) -> None:
        """Give module lists at the same path the same form in all instances of a class."""
        for keys, constructs in definition.modules.items():
            rows = [row for row in constructs if isinstance(row, Series) and row.name == MODULE_LIST]
            if rows:
                owners = [unit_at(group, keys) for group in definition.groups]
                items = [[*map(self.construct, owner.parts.values())] for owner in owners if isinstance(owner, Group)]
                definition.modules[keys] = [*align_lists(rows, items)]

    def _share(self, definition: Definition) -> None:
        """Resolve shared weights; of modules that are the same, the first is constructed and the others are aliases."""
        resolver = Resolver(self.context.graph, definition.groups, self.weights, self.construct)
        definition.sharing = resolver.resolve(definition.shape.shared)
        order = {keys: number for number, keys in enumerate(definition.modules)}
        together: dict[Keys, list[Keys]] = {}
        for user, owner in [*definition.sharing.same.items()]:
            if user in order and owner in order:
                together.setdefault(owner, [owner]).append(user)
                del definition.sharing.same[user]
        for alike in together.values():
            first, *others = sorted(alike, key=lambda keys: order[keys])
            definition.aliases.update(dict.fromkeys(others, first))

    def _constructs(self, group: Group) -> Iterator[tuple[Keys, Construct]]:
        if group.is_chain:
            yield (), self.calls[group]
            return
        for step in group.steps:
            owner = unit_at(group, step.keys[:-1])
            if not isinstance(owner, Group) or not owner.is_list:
                yield step.keys, self.construct(step.unit)
            elif step.keys[-1] == "0":
                yield step.keys[:-1], self._series(owner, MODULE_LIST)

    def _expressions(self, definition: Definition) -> dict[Keys, str]:
        """The expressions of steps that are the same in all instances, and short enough to read."""
        steps: dict[Keys, list[Step]] = {}
        for group in definition.groups:
            for step in group.steps:
                steps.setdefault(step.keys, []).append(step)
        found = {}
        for keys, alike in steps.items():
            texts = {self.modules[step.unit].expression if isinstance(step.unit, int) else None for step in alike}
            text = texts.pop()
            if text and not texts and is_readable(text):
                found[keys] = text
        return found

    def _parametrize(self, definition: Definition) -> None:
        """Find an expression for every value that differs between instances."""
        parameters = self._parameters(definition)
        places = [*_places(definition)]
        differing = {place: values for place, values in places if _differ(values)}
        texts = definition.texts
        # A value that only some instances have may be equal in these by accident.
        for (keys, slot), values in [*differing.items(), *(found for found in places if ABSENT in found[1])]:
            written, copies = self._written(definition, keys, slot)
            text = parameters.written(written, values, copies)
            if text is None and ABSENT in values and slot[-1:] in INPUTS:
                text = parameters.same(values)
            if text is not None:
                texts[keys, slot] = text
        for (keys, slot), values in sorted(differing.items(), key=lambda item: item[0][1][-1:] not in INPUTS):
            if (keys, slot) not in texts:
                count = parameters.count(values) if slot[-1:] == (COUNT,) else None
                name = _name(slot[-1]) if slot else f"with_{keys[-1]}"
                texts[keys, slot] = count or parameters.find(name, values, "_".join(keys))
        definition.parameters = parameters.parameters
        definition.derived = parameters.derived

    def _parameters(self, definition: Definition) -> ConstructorParameters:
        instances = [group.instance for group in definition.groups if group.instance]
        block = self.context.graph.document.data["blocks"][instances[0].block]
        arguments = [instance.arguments for instance in instances]
        return ConstructorParameters(arguments, block.get("defaults", {}), self.context.graph.variables)

    def _written(self, definition: Definition, keys: Keys, slot: Slot) -> tuple[Any, int | None]:
        """The spec's text for a value, and the copies that it applies to."""
        entry = self.entry(definition.group, keys)
        if not slot:
            return entry.get("when", f"({entry['repeat']}) > 0" if "repeat" in entry else None), None
        name = "repeat" if slot[-1] is COUNT else str(slot[-1])
        return entry.get(name) if len(keys) <= 1 else None, self._copies(definition, keys, slot, entry)

    def _copies(self, definition: Definition, keys: Keys, slot: Slot, entry: dict[str, Any]) -> int | None:
        """FIRST if a value belongs to the first copy of an entry, REST if to all others, else None."""
        constructs = [one for one in definition.modules[keys] if isinstance(one, Series)]
        if "repeat" not in entry or len(slot) != 2 or not constructs:
            return None
        aligned = all(len(one.runs) == 2 and one.runs[0].times == 1 for one in constructs)
        return (FIRST if slot[0] == 0 else REST) if aligned else None

    def entry(self, group: Group, keys: Keys) -> dict[str, Any]:
        """The entry of the spec that defines a unit."""
        unit = unit_at(group, keys)
        while isinstance(unit, Group) and (unit.instance is None or unit is group):
            unit = next(iter(unit.parts.values()))
        path = self.context.graph.nodes[unit].path if isinstance(unit, int) else unit.instance.path  # type: ignore[union-attr]
        found: Any = self.context.graph.document.data
        for key in path:
            found = found[key]
        return found if isinstance(found, dict) else {}


def _places(definition: Definition) -> Iterator[tuple[tuple[Keys, Slot], list[Any]]]:
    """The slots of a class, with the value in each instance; the empty slot is for whether the module exists."""
    for keys, constructs in definition.modules.items():
        if keys not in definition.aliases:
            yield (keys, ()), [construct is not None for construct in constructs]
        if keys not in definition.expressions and keys not in definition.aliases:
            for slot in dict.fromkeys(slot for construct in constructs if construct for slot in slots(construct)):
                yield (keys, slot), [value_at(construct, slot) for construct in constructs]


def _name(place: str | int | Mark) -> str:
    return place.value if isinstance(place, Mark) else str(place)


def _sources(group: Group) -> dict[int, Source]:
    """The source of every edge inside a group."""
    found: dict[int, Source] = {edge: ((), number) for number, edge in enumerate(group.inputs)}
    for step in group.steps:
        found.update({edge: (step.keys, number) for number, edge in enumerate(step.outputs)})
    return found


def _differ(values: list[Any]) -> bool:
    from archcalc.export.layout import literal

    return len({literal(value) for value in values if value is not ABSENT}) > 1


def _call(definition: Definition, number: int) -> Make:
    """The constructor call of one instance of a class."""
    required = {p.name: p.values[number] for p in definition.parameters if p.default is ABSENT}
    defaults = {p.name: p.default for p in definition.parameters if p.default is not ABSENT}
    optional = {p.name: p.values[number] for p in definition.parameters if p.name in defaults}
    options = {name: value for name, value in optional.items() if not equal_values(value, defaults[name])}
    return Make(definition.name, required, options, defaults)


def equal_values(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same type."""
    return one == other and type(one) is type(other)
