"""From a spec's document to a flat list of layers: variables, blocks, `repeat` and `when` are resolved here.

Names in a block are local: they get the instance's name and a full stop in front (`stage2.0.reduce.conv`). An edge is
still the name of what it comes from; `archcalc.graph` finds it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from archcalc.errors import Path, Problem, closest, did_you_mean, quoted
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Layer
from archcalc.spec.document import Document
from archcalc.spec.expressions import FUNCTIONS, TRUTHS, UNFIT, WORDS, ExpressionError, Value, count_values, evaluate
from archcalc.spec.schema import (
    ENTRY_KEYS,
    Block,
    Entry,
    InputTable,
    Spec,
    convert,
    convert_rest,
    find_problems,
    fitting,
    is_meant,
    shown,
    unknown_keys,
)

MAX_LAYERS = 200_000  # entries a spec may expand to
MAX_VALUES = 2_000_000  # in all the lists that expressions give
MAX_DEPTH = 50  # of blocks in blocks

Variables = Mapping[str, Value]


class TooLargeError(Exception):
    """The spec expands to more than MAX_LAYERS entries."""


class Source(NamedTuple):
    """An edge that is not looked up yet: `name` as `scope` knows it, written at `path`."""

    scope: str
    name: str
    path: Path


class Instance(NamedTuple):
    """A use of a block: its full name and the block's."""

    name: str
    block: str


class ExpandedLayer(NamedTuple):
    """One layer of the network, with its inputs still by name."""

    name: str
    layer: Layer
    sources: tuple[Source, ...]
    path: Path
    instances: tuple[Instance, ...]
    weights: Source | None
    trainable: bool


class ExpandedInput(NamedTuple):
    """An input of the network."""

    name: str
    table: InputTable
    path: Path


class Expansion(NamedTuple):
    """A spec with nothing left to evaluate.

    `aliases` are names that stand for another: a block instance for its last layer, a block's `input` for what it was
    given, an entry left out (`dropped`) or wrong (`broken`) for what it would have read.
    """

    name: str
    source: str | None
    variables: dict[str, Value]
    inputs: list[ExpandedInput]
    layers: list[ExpandedLayer]
    aliases: dict[str, Source]
    dropped: set[str]
    broken: set[str]
    outputs: list[Source]
    last: Source | None
    problems: list[Problem]


class Template(NamedTuple):
    """An entry as it is written, checked once however often it is used."""

    entry: Entry
    name: str  # local; empty for the copies of a block's only entry, which are just numbered
    fields: dict[str, Any]
    path: Path
    layer_type: type[Layer] | None  # or a block
    constant: Layer | None  # the layer itself, where nothing has to be evaluated


class BlockTemplate(NamedTuple):
    """A block as it is written."""

    name: str
    block: Block
    entries: list[Template]


BROKEN = Entry(type="")  # what is wrong with the entry has been said


class Use(NamedTuple):
    """One copy of an entry: its full name, what it reads, and the variables it sees."""

    name: str
    sources: tuple[Source, ...]
    variables: Variables
    number: str = ""  # `.0` for the first of several copies
    weights: Source | None = None
    trainable: bool = True


class Scope(NamedTuple):
    """What an instance of a block hands to the entries inside."""

    prefix: str
    variables: Variables
    instances: tuple[Instance, ...] = ()
    inputs: tuple[str, ...] = ()  # names of what the block was given
    weights: str | None = None  # the instance whose weights are used, as a prefix
    trainable: bool = True


def expand(document: Document, settings: Variables, inputs: Mapping[str, list[Any]], training: bool) -> Expansion:
    """Expand a spec. `settings` replace its variables, `inputs` the shapes of its inputs.

    What is wrong is in the expansion's `problems`, so that `connect` can add to it; SpecError is raised where nothing
    can be expanded.
    """
    unfit: list[Problem] = []
    data = fitting(document.data, unfit)
    given = fitting({"variables": dict(settings), "inputs": dict(inputs)}, unfit)
    problems: list[Problem] = []
    spec = convert(data, Spec, (), problems) or convert_rest(data, Spec)
    return _Expander(document, spec, unfit + problems, training).run(given["variables"], given["inputs"])


class _Expander:
    def __init__(self, document: Document, spec: Spec, problems: list[Problem], training: bool) -> None:
        self.document = document
        self.spec = spec
        self.problems = problems
        self.training = training
        self.blocks: dict[str, BlockTemplate] = {}
        self.layers: list[ExpandedLayer] = []
        self.aliases: dict[str, Source] = {}
        self.dropped: set[str] = set()
        self.broken: set[str] = set()
        self.expanded = 0
        self.values = 0  # that expressions have given

    def run(self, settings: Variables, shapes: Mapping[str, list[Any]]) -> Expansion:
        try:
            return self._expand(settings, shapes)
        except TooLargeError:
            raise self.document.error(self.problems) from None

    def _expand(self, settings: Variables, shapes: Mapping[str, list[Any]]) -> Expansion:
        self.variables = variables = self._variables(settings)
        inputs = self._inputs(shapes, variables)
        for name, data in self.spec.blocks.items():
            if block := self._block(name, data):
                self.blocks[name] = block
        given = tuple(item.name for item in inputs)
        entries = self._templates(self.spec.layers, ("layers",), [*given], numbered=False)
        if not self._blocks_end():
            raise self.document.error(self.problems)
        last = self._expand_entries(entries, Scope("", variables, inputs=given), given[0] if len(given) == 1 else None)
        outputs = [Source("", name, ("outputs", i)) for i, name in enumerate(self.spec.outputs or [])]
        return Expansion(
            self.spec.name,
            self.spec.source,
            dict(variables),
            inputs,
            self.layers,
            self.aliases,
            self.dropped,
            self.broken,
            outputs,
            Source("", last, ("layers",)) if last else None,
            self.problems,
        )

    # variables and inputs

    def _variables(self, settings: Variables) -> Variables:
        for name in settings:
            if name not in self.spec.variables:
                remedy = did_you_mean(name, self.spec.variables) or "the spec has no variables"
                self.problems.append(Problem(f"no variable is called {quoted(name)}", (), help=remedy))
        known: dict[str, Value] = {"training": self.training}
        for name, value in self.spec.variables.items():
            path: Path = ("variables", name)
            self._check_name(name, path, "variable")
            known[name] = self._value(settings.get(name, value), known, path)
        return known

    def _check_name(self, name: str, path: Path, what: str) -> None:
        reserved = {"training", "index", "not", "and", "or", "if", "else", "in", "is", *FUNCTIONS, *WORDS, *TRUTHS}
        if not name.isidentifier() or name in reserved or name in ("True", "False", "None"):
            message = f"{quoted(name)} cannot be the name of a {what}"
            self.problems.append(Problem(message, path, help="use letters, digits and _, and no word of expressions"))

    def _inputs(self, shapes: Mapping[str, list[Any]], variables: Variables) -> list[ExpandedInput]:
        for name in shapes:
            if name not in self.spec.inputs:
                remedy = did_you_mean(name, self.spec.inputs)
                self.problems.append(Problem(f"no input is called {quoted(name)}", ("inputs",), help=remedy))
        if self.document.data.get("inputs") == {}:
            self.problems.append(Problem("the network has no input", ("inputs",), help="add image = [3, 224, 224]"))
        found = (self._input(name, data, shapes.get(name), variables) for name, data in self.spec.inputs.items())
        return [item for item in found if item]

    def _input(self, name: str, data: Any, shape: list[Any] | None, variables: Variables) -> ExpandedInput | None:
        path: Path = ("inputs", name)
        if not name or "." in name:
            self.problems.append(Problem(f"{quoted(name)} cannot be the name of an input", path))
        written = data if isinstance(data, dict) else {"shape": data}
        written = written if shape is None else written | {"shape": shape}
        value = self._evaluated(written, variables, path, words_of(InputTable))
        table = convert(value, InputTable, path, self.problems)
        if table is None:
            self.broken.add(name)
            return None
        return ExpandedInput(name, table, path)

    # entries as they are written

    def _block(self, name: str, data: Any) -> BlockTemplate | None:
        path: Path = ("blocks", name)
        block = convert(data, Block, path, self.problems)
        if name in LAYER_TYPES:
            self.problems.append(Problem(f"{quoted(name)} is a layer type already", path, help="rename the block"))
        if not name or "." in name:
            self.problems.append(Problem(f"{quoted(name)} cannot be the name of a block", path, help="use a word"))
            return None
        if block is None:
            return None
        for parameter in (*block.parameters, *block.defaults):
            self._check_name(parameter, path, "parameter")
            if parameter in ENTRY_KEYS:
                message = f"{quoted(parameter)} means something on every entry, and cannot be a parameter"
                self.problems.append(Problem(message, path, help=f"rename it: {parameter}_of_block, say"))
        entries = self._templates(block.layers, (*path, "layers"), block.inputs, numbered=True)
        return BlockTemplate(name, block, entries) if self._check_block_inputs(block.inputs, path) else None

    def _check_block_inputs(self, names: list[str], path: Path) -> bool:
        before = len(self.problems)
        for number, name in enumerate(names):
            # A number is the name of a copy of the block's only entry.
            if not name or "." in name or name.isdecimal():
                message = f"{quoted(name)} cannot be the name of an input"
                self.problems.append(Problem(message, (*path, "inputs", number), help="use a word"))
            elif name in names[:number]:
                message = f"two inputs are called {quoted(name)}"
                self.problems.append(Problem(message, (*path, "inputs", number), help="use a word of its own for each"))
        return len(self.problems) == before

    def _blocks_end(self) -> bool:
        """Whether no block uses itself, however indirectly, and no chain of them is too long."""
        heights: dict[str, int] = {}  # blocks above each other
        before = len(self.problems)

        def height(name: str, chain: tuple[str, ...]) -> int:
            if name in chain:
                circle = " → ".join(map(quoted, (*chain[chain.index(name) :], name)))
                message = f"block {quoted(name)} uses itself: {circle}"
                self.problems.append(Problem(message, ("blocks", name), help="blocks may nest, but not recur"))
                return 0
            if name not in heights and len(chain) <= MAX_DEPTH:
                used = dict.fromkeys(item.entry.type for item in self.blocks[name].entries if item.layer_type is None)
                heights[name] = 1 + max((height(one, (*chain, name)) for one in used if one in self.blocks), default=0)
            return heights.get(name, 1)

        for name in self.blocks:
            if height(name, ()) > MAX_DEPTH and len(self.problems) == before:
                message = f"blocks nest more than {MAX_DEPTH} deep, from {quoted(name)} on"
                self.problems.append(Problem(message, ("blocks", name), help="nest them less"))
        return len(self.problems) == before

    def _templates(self, entries: list[dict[str, Any]], path: Path, taken: list[str], numbered: bool) -> list[Template]:
        names = _Names(entries, taken)
        bare = numbered and len(entries) == 1 and "name" not in entries[0] and "repeat" in entries[0]
        return [self._template(data, (*path, i), names, bare) for i, data in enumerate(entries)]

    def _template(self, data: dict[str, Any], path: Path, names: "_Names", bare: bool) -> Template:
        common = {key: data[key] for key in data if key in ENTRY_KEYS}
        fields = {key: value for key, value in data.items() if key not in ENTRY_KEYS}
        entry = convert(common, Entry, path, self.problems)
        if entry is None:
            name = data.get("name")
            return Template(BROKEN, name if isinstance(name, str) else names.next("?"), {}, path, None, None)
        if entry.input is not None and entry.inputs is not None:
            self.problems.append(Problem("input and inputs exclude each other", path, help="keep one of them"))
        if entry.name is not None and (other := names.claim(entry.name)):
            message = f"{other} is called {quoted(entry.name)} already"
            self.problems.append(Problem(message, (*path, "name"), help="give every entry a name of its own"))
            entry.name = None
        name = "" if bare else entry.name or names.next(entry.type)
        layer_type = LAYER_TYPES.get(entry.type)
        if layer_type is None:
            self._check_block_use(entry.type, fields, path)
            return Template(entry, name, fields, path, None, None)
        return Template(entry, name, fields, path, layer_type, self._constant(fields, layer_type, path))

    def _constant(self, fields: dict[str, Any], layer_type: type[Layer], path: Path) -> Layer | None:
        """The layer, if nothing has to be evaluated for it."""
        expressions = {key for key, value in fields.items() if _has_expression(value, layer_type)}
        if not expressions:
            try:
                return msgspec.convert(fields, layer_type)
            except msgspec.ValidationError:
                pass
        self.problems.extend(find_problems(fields, layer_type, path, ENTRY_KEYS, expressions))
        return None

    def _check_block_use(self, name: str, arguments: dict[str, Any], path: Path) -> None:
        data = self.spec.blocks.get(name)
        if not isinstance(data, dict):
            if data is None:
                remedy = did_you_mean(name, [*LAYER_TYPES, *self.spec.blocks])
                message = f"no layer type or block is called {quoted(name)}"
                self.problems.append(Problem(message, (*path, "type"), help=remedy))
            return
        parameters, defaults = data.get("parameters", []), data.get("defaults", {})
        if isinstance(parameters, list) and isinstance(defaults, dict):
            known = [str(parameter) for parameter in parameters]
            unknown = [*unknown_keys(arguments, (*known, *defaults, *ENTRY_KEYS), path)]
            self.problems.extend(unknown)
            for parameter in known:
                if parameter not in arguments and parameter not in defaults and not is_meant(parameter, unknown):
                    message = f"block {quoted(name)} needs {quoted(parameter)}"
                    self.problems.append(Problem(message, path, help=f"add {parameter} = …"))

    # entries as they are used

    def _expand_entries(self, entries: list[Template], scope: Scope, first: str | None) -> str:
        """Expand the entries of one scope in order; returns the full name that stands for the last."""
        previous = first
        for template in entries:
            previous = self._expand_repeats(template, scope, previous)
        return previous or ""

    def _expand_repeats(self, template: Template, scope: Scope, previous: str | None) -> str:
        sources = self._sources(template, scope, previous)
        full_name = scope.prefix + template.name
        if template.entry.repeat is None:
            self._expand_entry(template, scope, Use(full_name, sources, scope.variables))
            return full_name
        group = f"{full_name}." if template.name else scope.prefix
        count = self._repeat(template, scope)
        if count == 0:
            self._count(template)
        for index in range(count):
            copy = Use(f"{group}{index}", sources, {**scope.variables, "index": index}, f".{index}")
            self._expand_entry(template, scope, copy)
            # Each further copy reads the copy before it; other inputs stay what they were.
            sources = (Source("", copy.name, template.path), *sources[1:])
        if full_name not in self.broken and all(f"{group}{index}" in self.dropped for index in range(count)):
            self.dropped.add(full_name)
        return self._alias(full_name, sources)

    def _alias(self, full_name: str, sources: tuple[Source, ...]) -> str:
        if sources:
            self.aliases[full_name] = sources[0]
        else:
            self.broken.add(full_name)
        return full_name

    def _break(self, use: Use) -> None:
        """Nothing more is to be said about an entry that is wrong, nor about what reads it."""
        self.broken.add(use.name)
        self._alias(use.name, use.sources)

    def _sources(self, template: Template, scope: Scope, previous: str | None) -> tuple[Source, ...]:
        entry, path = template.entry, template.path
        if entry.inputs is not None:
            return tuple(Source(scope.prefix, name, (*path, "inputs", i)) for i, name in enumerate(entry.inputs))
        if entry.input is not None:
            return (Source(scope.prefix, entry.input, (*path, "input")),)
        if previous is not None:
            return (Source("", previous, path),)
        if entry is BROKEN or not scope.inputs:
            return ()
        names = ", ".join(map(quoted, scope.inputs))
        message = f"the first layer must say which input it reads: {names}"
        self.problems.append(Problem(message, path, help=f"add input = {quoted(scope.inputs[0])}"))
        return ()

    def _expand_entry(self, template: Template, scope: Scope, use: Use) -> None:
        self._count(template)
        entry = template.entry
        if entry.when is not True and not self._truth(entry.when, use, template, "when"):
            self.dropped.add(use.name)
            self._alias(use.name, use.sources)
            return
        trainable = entry.trainable is True or self._truth(entry.trainable, use, template, "trainable")
        use = use._replace(weights=_weights(template, scope, use), trainable=scope.trainable and trainable)
        if template.layer_type is None:
            self._expand_block(template, scope, use)
        elif layer := template.constant or self._layer(template, template.layer_type, use.variables):
            path, weights = template.path, use.weights
            self.layers.append(
                ExpandedLayer(use.name, layer, use.sources, path, scope.instances, weights, use.trainable)
            )
        else:
            self._break(use)

    def _expand_block(self, template: Template, scope: Scope, use: Use) -> None:
        block = self.blocks.get(template.entry.type)
        if block is None:  # something is wrong with it, and has been said
            self._break(use)
            return
        names, prefix = block.block.inputs, f"{use.name}."
        if use.sources and len(use.sources) != len(names):
            wanted = f"{len(names)} input{'s' * (len(names) > 1)} ({', '.join(names)})"
            message = f"block {quoted(block.name)} takes {wanted}, and gets {len(use.sources)}"
            self.problems.append(Problem(message, template.path, help="list them in inputs = […]"))
            self._break(use)
            return
        self.aliases.update(zip((prefix + name for name in names), use.sources, strict=False))
        inner = Scope(
            prefix,
            self._arguments(block, template, use.variables),
            (*scope.instances, Instance(use.name, block.name)),
            tuple(names),
            f"{use.weights.scope}{use.weights.name}." if use.weights else None,
            use.trainable,
        )
        last = self._expand_entries(block.entries, inner, prefix + names[0] if len(names) == 1 else None)
        self.aliases[use.name] = Source("", last, template.path)
        if not use.sources:
            self.broken.add(use.name)

    def _arguments(self, block: BlockTemplate, template: Template, variables: Variables) -> Variables:
        """The variables inside a block: the spec's own, what this use gives, and the defaults of the rest."""
        given = self._evaluated(template.fields, variables, template.path)
        inside = {**self.variables, **dict.fromkeys(block.block.parameters, UNFIT), **given}
        for name, value in block.block.defaults.items():
            if name not in given:
                inside[name] = self._value(value, inside, ("blocks", block.name, "defaults", name))
        return inside

    def _layer(self, template: Template, layer_type: type[Layer], variables: Variables) -> Layer | None:
        known = {name: value for name, value in template.fields.items() if name in layer_type.__struct_fields__}
        fields = self._evaluated(known, variables, template.path, words_of(layer_type))
        try:
            return msgspec.convert(fields, layer_type)
        except msgspec.ValidationError:
            self.problems.extend(find_problems(template.fields | fields, layer_type, template.path, ENTRY_KEYS))
            return None

    def _repeat(self, template: Template, scope: Scope) -> int:
        path = (*template.path, "repeat")
        count = self._value(template.entry.repeat, scope.variables, path)
        if count is UNFIT:
            self.broken.add(scope.prefix + template.name)
            return 0
        if type(count) is not int or count < 0:
            self.broken.add(scope.prefix + template.name)
            message = f"repeat = {shown(template.entry.repeat)} gives {shown(count)}, which is no number of copies"
            self.problems.append(Problem(message, path, help="use a whole number, 0 or more"))
            return 0
        if count > MAX_LAYERS:
            self._too_large(path, f"repeat = {shown(count)}")
        return count

    def _count(self, template: Template) -> None:
        self.expanded += 1
        if self.expanded > MAX_LAYERS:
            self._too_large(template.path, "the spec")

    def _too_large(self, path: Path, what: str) -> None:
        message = f"{what} expands to more than {MAX_LAYERS:,} layers"
        self.problems.append(Problem(message, path, help="repeat fewer times"))
        raise TooLargeError

    # expressions

    def _truth(self, value: Any, use: Use, template: Template, key: str) -> bool:
        return bool(self._value(value, use.variables, (*template.path, key)))

    def _evaluated(
        self, fields: dict[str, Any], variables: Variables, path: Path, words: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        return {key: self._value(value, variables, (*path, key), words) for key, value in fields.items()}

    def _value(self, value: Any, variables: Variables, path: Path, words: frozenset[str] = frozenset()) -> Any:
        """The value with its expressions evaluated, UNFIT if one cannot be; whole floats become integers."""
        if isinstance(value, list):
            items = [self._value(item, variables, (*path, i), words) for i, item in enumerate(value)]
            return UNFIT if UNFIT in items else items
        if not isinstance(value, str) or value in words:
            return value
        try:
            result = evaluate(value, variables)
        except ExpressionError as error:
            name = next(part for part in reversed(path) if isinstance(part, str))
            # A word that is no variable may be meant as one of the words that stand for themselves.
            meant = value.isidentifier() and closest(value, words)
            remedy = did_you_mean(value, words) if meant else error.help
            self.problems.append(Problem(f"{name} = {quoted(value)}: {error}", path, help=remedy))
            return UNFIT
        self._measure(result, path)
        return _whole(result)

    def _measure(self, value: Value, path: Path) -> None:
        """Lists that expressions make of each other must not grow beyond any memory."""
        self.values += count_values(value) if isinstance(value, list) else 0
        if self.values > MAX_VALUES:
            message = f"the lists of the spec's expressions have more than {MAX_VALUES:,} values"
            self.problems.append(Problem(message, path, help="use shorter lists"))
            raise TooLargeError


def _whole(value: Value) -> Value:
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _has_expression(fields: Any, layer_type: type[Layer]) -> bool:
    if isinstance(fields, str):
        return fields not in words_of(layer_type)
    items: Any = fields.values() if isinstance(fields, dict) else fields if isinstance(fields, list) else ()
    return any(_has_expression(item, layer_type) for item in items)


def _weights(template: Template, scope: Scope, use: Use) -> Source | None:
    """Whose weights are used: the entry's that is named, or the namesake's in the instance that the block names."""
    if template.entry.weights is not None:
        return Source(scope.prefix, template.entry.weights, (*template.path, "weights"))
    if scope.weights is None:
        return None
    return Source(scope.weights, (template.name + use.number).removeprefix("."), template.path)


@cache
def words_of(struct: type[msgspec.Struct]) -> frozenset[str]:
    """The words (`same`, `nearest` …) that some field of a structure takes; other strings are expressions."""
    types = [annotation for base in struct.__mro__ for annotation in vars(base).get("__annotations__", {}).values()]
    words: set[str] = set()
    while types:
        kind = types.pop()
        if get_origin(kind) is Literal:
            words.update(word for word in get_args(kind) if isinstance(word, str))
        else:
            types.extend(get_args(kind))
    return frozenset(words)


class _Names:
    """Names for the entries of one scope that have none: `relu`, `relu_2`, …"""

    def __init__(self, entries: list[dict[str, Any]], taken: list[str]) -> None:
        self._owners = dict.fromkeys(taken, "an input")
        self._used = {*taken, *(name for data in entries if isinstance(name := data.get("name"), str))}
        self._counts: dict[str, int] = {}

    def claim(self, name: str) -> str | None:
        """What has the name already, if anything has."""
        owner = self._owners.get(name)
        self._owners.setdefault(name, "another entry")
        return owner

    def next(self, type_name: str) -> str:
        while True:
            count = self._counts.get(type_name, 0) + 1
            self._counts[type_name] = count
            name = type_name if count == 1 else f"{type_name}_{count}"
            if name not in self._used:
                self._used.add(name)
                return name
