"""Entries and blocks as written in a spec, checked once for all their uses."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import Any

import msgspec
from msgspec import Struct

from archcalc.errors import SHOWN, Path, Problem, Remedy, quoted
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Layer
from archcalc.spec.expense import end_search
from archcalc.spec.expressions import FUNCTIONS, TRUTHS, WORDS, names_in
from archcalc.spec.names import EntryNames
from archcalc.spec.problems import convert, convert_rest, find_problems, unknown_keys, unless_meant
from archcalc.spec.schema import ENTRY_KEYS, Block, Entry
from archcalc.spec.values import is_right
from archcalc.spec.wanted import ANYTHING, Wanted, wanted

MAX_DEPTH = 50  # of blocks in blocks
MAX_NAME = 200  # letters
SHORT = 16  # letters of an expression that costs as much as a plain value


class Template(Struct, frozen=True, gc=False):
    """An entry as written, checked once for all its uses."""

    entry: Entry
    name: str  # local; empty for the copies of a block's only entry, which have numbers alone
    fields: dict[str, Any]
    path: Path
    layer_type: type[Layer] | None  # None for a use of a block
    constant: Layer | None  # the layer, if it has no expressions
    names: EntryNames  # of its scope
    variables: tuple[str, ...] = ()  # that its fields may depend on
    reads: tuple[tuple[str, Path], ...] | None = None  # the inputs that it names, with their paths
    wanted: Mapping[str, Wanted] | None = None  # of a wrong entry: what its fields take, if known
    cost: int = 0  # of evaluating its fields, in values


class BlockTemplate(Struct, frozen=True, gc=False):
    """A block as written."""

    name: str
    block: Block
    entries: list[Template]


class TemplateReader:
    """Reads the entries and blocks of one spec; `blocks` are its blocks as written.

    `dimensions` is the number of spatial axes of the inputs; None if they differ.
    """

    def __init__(self, blocks: dict[str, Any], dimensions: int | None, problems: list[Problem]) -> None:
        self.blocks = blocks
        self.dimensions = dimensions
        self.problems = problems
        self.answers: dict[tuple[Any, ...], Any] = {}

    def check_name(self, name: str, path: Path, what: str) -> None:
        """Check that the name of a variable or parameter is a word without a meaning of its own in expressions."""
        reserved = {"training", "index", "not", "and", "or", "if", "else", "in", "is", *FUNCTIONS, *WORDS, *TRUTHS}
        if not name.isidentifier() or name in reserved or name in ("True", "False", "None"):
            taken = name in reserved or name in ("True", "False", "None")
            message = f"{quoted(name)} cannot be the name of a {what}"
            remedy = "use another: this one means something in expressions" if taken else "use letters, digits and _"
            self.problems.append(Problem(message, path, help=remedy))

    def block(self, name: str, data: Any) -> BlockTemplate | None:
        """Read a block; None if it cannot be used."""
        path: Path = ("blocks", name)
        block = convert(data, Block, path, self.problems)
        usable = block is not None
        if name in LAYER_TYPES:
            self.problems.append(Problem(f"{quoted(name)} is a layer type already", path, help="rename the block"))
        if not name or "." in name:
            self.problems.append(Problem(f"{quoted(name)} cannot be the name of a block", path, help="use a word"))
            return None
        if block is None:
            if not isinstance(data, dict):
                return None
            block = convert_rest(data, Block)  # the search for problems goes on
        for number in repeated(block.parameters):
            message = f"two parameters are called {quoted(block.parameters[number])}"
            self.problems.append(Problem(message, (*path, "parameters", number), help="name each once"))
        for parameter in dict.fromkeys((*block.parameters, *block.defaults)):
            self.check_name(parameter, path, "parameter")
            if parameter in ENTRY_KEYS:
                message = f"{quoted(parameter)} means something on every entry, and cannot be a parameter"
                self.problems.append(Problem(message, path, help=f"rename it: {parameter}_of_block, say"))
        entries = self.entries(block.layers, (*path, "layers"), block.inputs, numbered=True)
        return BlockTemplate(name, block, entries) if self._check_block_inputs(block.inputs, path) and usable else None

    def _check_block_inputs(self, names: list[str], path: Path) -> bool:
        before, again = len(self.problems), repeated(names)
        for number, name in enumerate(names):
            # Numbers are the names of copies of a block's only entry.
            if not name or "." in name or name.isdecimal():
                message = f"{quoted(name)} cannot be the name of an input"
                self.problems.append(Problem(message, (*path, "inputs", number), help="use a word"))
            elif number in again:
                message = f"two inputs are called {quoted(name)}"
                self.problems.append(Problem(message, (*path, "inputs", number), help="use a word of its own for each"))
        return len(self.problems) == before

    def entries(self, entries: list[dict[str, Any]], path: Path, taken: list[str], numbered: bool) -> list[Template]:
        """The entries of one scope, in which the names `taken` belong to inputs."""
        names = EntryNames(entries, taken, self.blocks)
        alone = numbered and len(entries) == 1
        return [self._template(data, (*path, i), names, alone) for i, data in enumerate(entries)]

    def _template(self, data: dict[str, Any], path: Path, names: EntryNames, alone: bool) -> Template:
        end_search(self.problems)
        common = {key: data[key] for key in data if key in ENTRY_KEYS}
        fields = {key: value for key, value in data.items() if key not in ENTRY_KEYS}
        if "type" not in data:
            self._take_misspelled(common, fields, {}, ("type",), path)
        kinds = self._kinds(common.get("type"))
        self._take_misspelled(common, fields, kinds, ENTRY_KEYS, path)
        found = convert(common, Entry, path, self.problems)
        entry = found or convert_rest(common, Entry)
        if entry.input is not None and entry.inputs is not None:
            self.problems.append(Problem("input and inputs exclude each other", path, help="keep one of them"))
        name = "" if alone and {*common} & {"name", "repeat"} == {"repeat"} else self._name(common, entry, names, path)
        layer_type = LAYER_TYPES.get(entry.type)
        before = len(self.problems)
        constant = self._constant(fields, layer_type, path) if layer_type else None
        broken = None if found is not None and len(self.problems) == before else kinds
        if layer_type is None and isinstance(common.get("type"), str):
            if entry.type in self.blocks:
                self._check_block_use(entry, fields, path)
            else:
                broken = kinds
                self._unknown_type(entry.type, fields, kinds, path)
        variables, reads = variables_in(fields.values()), _reads(entry, path)
        cost = _cost([*(() if constant else fields.values()), entry.when, entry.trainable, entry.functional])
        if broken is not None:
            layer_type = constant = None
        return Template(
            entry=entry,
            name=name,
            fields=fields,
            path=path,
            layer_type=layer_type,
            constant=constant,
            names=names,
            variables=variables,
            reads=reads,
            wanted=broken,
            cost=cost,
        )

    def _kinds(self, written: Any) -> Mapping[str, Wanted]:
        """The fields of a type or block, with what each takes; the fields of all types and blocks if it is unknown."""
        if isinstance(written, str) and written in LAYER_TYPES:
            return wanted(LAYER_TYPES[written])
        if isinstance(written, str) and written in self.blocks:
            parameters, defaults = _signature(self.blocks[written]) or ([], {})
            return dict.fromkeys((*parameters, *defaults), ANYTHING)
        return self._all_kinds

    @cached_property
    def _all_kinds(self) -> dict[str, Wanted]:
        """The fields of all types and blocks, with what each takes."""
        from archcalc.spec.remedies import fields_of_all

        return {**fields_of_all(), **{key: kind for name in self.blocks for key, kind in self._kinds(name).items()}}

    def _take_misspelled(
        self,
        common: dict[str, Any],
        fields: dict[str, Any],
        kinds: Mapping[str, Wanted],
        keys: tuple[str, ...],
        path: Path,
    ) -> None:
        """Move the values of misspelled `keys` of an entry from `fields` to `common`, and note a problem for each."""
        unknown = [key for key in fields if key not in kinds]
        if not unknown:
            return
        from archcalc.spec.remedies import meant_keys

        known = (*kinds, *ENTRY_KEYS)
        for key in unknown:
            likely = self._search((key, keys, str(common.get("type"))), partial(meant_keys, key, known)) or ["?"]
            fitting = [one for one in likely if one in keys and is_right(fields[key], wanted(Entry)[one].annotation)]
            if len(fitting) == 1 and {*likely} <= {*keys} - {*common}:  # the value decides between input and inputs
                self.problems.extend(unknown_keys(fields, [key], known, path))
                common[fitting[0]] = fields.pop(key)

    def _search(self, question: tuple[Any, ...], search: Callable[[], Any]) -> Any:
        """The cached result of a search; None after as many searches as errors are shown."""
        if question not in self.answers and len(self.answers) < SHOWN:
            self.answers[question] = search()
        return self.answers.get(question)

    def _name(self, common: dict[str, Any], entry: Entry, names: EntryNames, path: Path) -> str:
        """The name of an entry in its scope."""
        if entry.name is None and "name" in common:
            return str(common["name"])[:MAX_NAME]  # wrong and already reported
        if entry.name is None:
            self._doubt(common.get("type"), names)
            return names.next(entry.type or "?")
        if other := names.claim(entry.name):
            message = f"{other} is called {quoted(entry.name)} already"
            self.problems.append(Problem(message, (*path, "name"), help="give every entry a name of its own"))
            return names.next(entry.name)
        return entry.name

    def _doubt(self, written: Any, names: EntryNames) -> None:
        """Note which names an unnamed entry of a wrong type may have."""
        if not isinstance(written, str):
            names.doubt(None)
        elif written not in LAYER_TYPES and written not in self.blocks:
            from archcalc.spec.remedies import meant_types

            found = self._search((written,), partial(meant_types, written, self.blocks, self.dimensions))
            if found is None or isinstance(found, list):
                names.doubt(found)

    def _constant(self, fields: dict[str, Any], layer_type: type[Layer], path: Path) -> Layer | None:
        """The layer, if it has no expressions and no problems."""
        kinds = wanted(layer_type)
        expressions = {key for key, value in fields.items() if key in kinds and _has_expression(value, kinds[key])}
        if not expressions:
            try:
                return msgspec.convert(fields, layer_type)
            except msgspec.ValidationError:
                pass
        found = find_problems(fields, layer_type, path, also_known=ENTRY_KEYS, unchecked=expressions)
        self.problems.extend(found)
        return None

    def _unknown_type(self, name: str, fields: dict[str, Any], known: Mapping[str, Wanted], path: Path) -> None:
        """Note the problems of an entry of unknown type."""
        from archcalc.spec.remedies import key_remedy_for, meant_types, type_remedy

        remedy = Remedy(name, lambda: type_remedy(name, self.blocks, self.dimensions))
        message = f"no layer type or block is called {quoted(name)}"
        self.problems.append(Problem(message, (*path, "type"), help=remedy))
        unknown = [key for key in fields if key not in known]
        if unknown:
            likely = self._search((name,), partial(meant_types, name, self.blocks, self.dimensions))
            remedy_of = partial(key_remedy_for, name, likely, self._meant_kinds(likely) or known, fields)
            self.problems.extend(unknown_keys(fields, unknown, (*known, *ENTRY_KEYS), path, remedy_of))

    def _meant_kinds(self, types: list[str] | str | None) -> dict[str, Wanted]:
        """The fields of these types, with what each takes."""
        found = types if isinstance(types, list) else []
        return {key: kind for name in found for key, kind in self._kinds(name).items()}

    def _check_block_use(self, entry: Entry, arguments: dict[str, Any], path: Path) -> None:
        if entry.functional is not False:
            message = "functional is for a layer; a block consists of modules"
            self.problems.append(Problem(message, (*path, "functional"), help="write it inside of the block"))
        if (signature := _signature(self.blocks[entry.type])) is None:
            return
        parameters, defaults = signature
        known = (*parameters, *defaults, *ENTRY_KEYS)
        unknown = [key for key in arguments if key not in known]
        self.problems.extend(unknown_keys(arguments, unknown, known, path))
        for parameter in parameters:
            if parameter not in arguments and parameter not in defaults:
                message, unless = (
                    f"block {quoted(entry.type)} needs {quoted(parameter)}",
                    unless_meant(parameter, unknown, known),
                )
                self.problems.append(Problem(message, path, help=f"add {parameter} = …", unless=unless))


def _signature(block: Any) -> tuple[list[str], dict[str, Any]] | None:
    """The parameters and defaults of a block as written; None if it is wrong."""
    if not isinstance(block, dict) or not {*block} <= {*Block.__struct_fields__}:
        return None
    parameters, defaults = block.get("parameters", []), block.get("defaults", {})
    if not isinstance(parameters, list) or not isinstance(defaults, dict):
        return None
    return [*map(str, parameters)], defaults


def _reads(entry: Entry, path: Path) -> tuple[tuple[str, Path], ...] | None:
    if entry.inputs is not None:
        return tuple((name, (*path, "inputs", i)) for i, name in enumerate(entry.inputs))
    return None if entry.input is None else ((entry.input, (*path, "input")),)


def repeated(names: list[str]) -> dict[int, str]:
    """The names that occur earlier in the list, by index."""
    first = {name: number for number, name in reversed([*enumerate(names)])}
    return {number: name for number, name in enumerate(names) if first[name] != number}


def _cost(waiting: list[Any]) -> int:
    """The cost of evaluating values, those in lists included: 1 each, or the length of a long expression."""
    cost = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        cost += len(value) if isinstance(value, str) and len(value) > SHORT else 1
    return cost


def variables_in(values: Iterable[Any]) -> tuple[str, ...]:
    """The variables that written values may depend on, in alphabetical order."""
    found = set[str]()
    waiting = [*values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.update((value, *names_in(value)))  # the text itself may be a variable with a reserved name
        elif isinstance(value, list):
            waiting.extend(value)
    return tuple(sorted(found))


def _has_expression(value: Any, wanted: Wanted) -> bool:
    if isinstance(value, str):
        return value not in wanted.words
    items: Any = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_has_expression(item, wanted) for item in items)


def endless(blocks: Mapping[str, BlockTemplate], problems: list[Problem]) -> set[str]:
    """The blocks that use themselves, directly or not; all blocks if they nest too deeply. Each adds a problem."""
    heights: dict[str, int] = {}  # levels of blocks in a block, itself included
    found: set[str] = set()

    def height(name: str, chain: tuple[str, ...]) -> int:
        if name in chain:
            circle = (*chain[chain.index(name) :], name)
            if not found & {*circle}:
                message = f"block {quoted(name)} uses itself: {' → '.join(map(quoted, circle))}"
                problems.append(Problem(message, ("blocks", name), help="blocks may nest, but not recur"))
            found.update(circle)
            return 0
        if name not in heights and len(chain) <= MAX_DEPTH:
            used = dict.fromkeys(item.entry.type for item in blocks[name].entries if item.layer_type is None)
            heights[name] = 1 + max((height(one, (*chain, name)) for one in used if one in blocks), default=0)
        return heights.get(name, 1)

    for name in blocks:
        if height(name, ()) > MAX_DEPTH and not found:
            message = f"blocks nest more than {MAX_DEPTH} deep, from {quoted(name)} on"
            problems.append(Problem(message, ("blocks", name), help="nest them less"))
            return {*blocks}
    return found
