"""Entries and blocks as they are written: checked once, however often they are used."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from archcalc.errors import Path, Problem, did_you_mean, quoted
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Layer
from archcalc.spec.evaluation import words_of
from archcalc.spec.expressions import FUNCTIONS, TRUTHS, WORDS, names_in
from archcalc.spec.schema import ENTRY_KEYS, Block, Entry, convert, find_problems, is_meant, unknown_keys

MAX_DEPTH = 50  # of blocks in blocks


class Template(NamedTuple):
    """An entry as it is written, checked once however often it is used."""

    entry: Entry
    name: str  # local; empty for the copies of a block's only entry, which are just numbered
    fields: dict[str, Any]
    path: Path
    layer_type: type[Layer] | None  # or a block
    constant: Layer | None  # the layer itself, where nothing has to be evaluated
    variables: tuple[str, ...] = ()  # that its fields may depend on
    reads: tuple[tuple[str, Path], ...] | None = None  # its inputs where it names them, and where it does


class BlockTemplate(NamedTuple):
    """A block as it is written."""

    name: str
    block: Block
    entries: list[Template]


BROKEN = Entry(type="")  # what is wrong with the entry has been said


class TemplateReader:
    """Reads the entries and blocks of one spec; `blocks` are its blocks as they are written."""

    def __init__(self, blocks: dict[str, Any], problems: list[Problem]) -> None:
        self.blocks = blocks
        self.problems = problems

    def check_name(self, name: str, path: Path, what: str) -> None:
        """The name of a variable or a parameter must be a word that means nothing else in expressions."""
        reserved = {"training", "index", "not", "and", "or", "if", "else", "in", "is", *FUNCTIONS, *WORDS, *TRUTHS}
        if not name.isidentifier() or name in reserved or name in ("True", "False", "None"):
            message = f"{quoted(name)} cannot be the name of a {what}"
            self.problems.append(Problem(message, path, help="use letters, digits and _, and no word of expressions"))

    def block(self, name: str, data: Any) -> BlockTemplate | None:
        """A block; None if it cannot be used."""
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
            self.check_name(parameter, path, "parameter")
            if parameter in ENTRY_KEYS:
                message = f"{quoted(parameter)} means something on every entry, and cannot be a parameter"
                self.problems.append(Problem(message, path, help=f"rename it: {parameter}_of_block, say"))
        entries = self.entries(block.layers, (*path, "layers"), block.inputs, numbered=True)
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

    def entries(self, entries: list[dict[str, Any]], path: Path, taken: list[str], numbered: bool) -> list[Template]:
        """The entries of one scope, in which the names `taken` mean inputs already."""
        names = _Names(entries, taken)
        bare = numbered and len(entries) == 1 and "name" not in entries[0] and "repeat" in entries[0]
        return [self._template(data, (*path, i), names, bare) for i, data in enumerate(entries)]

    def _template(self, data: dict[str, Any], path: Path, names: "_Names", bare: bool) -> Template:
        common = {key: data[key] for key in data if key in ENTRY_KEYS}
        fields = {key: value for key, value in data.items() if key not in ENTRY_KEYS}
        found: list[Problem] = []
        entry = convert(common, Entry, path, found)
        misspelled = (
            [] if "type" in data else [p for p in unknown_keys(fields, ENTRY_KEYS, path) if is_meant("type", [p])]
        )
        self.problems.extend(misspelled)
        self.problems.extend(p for p in found if not misspelled or p.message != "type is missing")
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
            if entry.functional is not False:
                message = "functional is for a layer; a block has modules in it"
                self.problems.append(Problem(message, (*path, "functional"), help="write it inside of the block"))
            return Template(entry, name, fields, path, None, None, _variables(fields.values()), _reads(entry, path))
        constant = self._constant(fields, layer_type, path)
        variables = _variables(fields.values())
        return Template(entry, name, fields, path, layer_type, constant, variables, _reads(entry, path))

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
        data = self.blocks.get(name)
        if not isinstance(data, dict):
            if data is None:
                remedy = did_you_mean(name, [*LAYER_TYPES, *self.blocks])
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


def _reads(entry: Entry, path: Path) -> tuple[tuple[str, Path], ...] | None:
    if entry.inputs is not None:
        return tuple((name, (*path, "inputs", i)) for i, name in enumerate(entry.inputs))
    return None if entry.input is None else ((entry.input, (*path, "input")),)


def _variables(values: Iterable[Any]) -> tuple[str, ...]:
    found = set[str]()
    waiting = [*values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.update((value, *names_in(value)))  # a name that is no word of expressions is found as it is written
        elif isinstance(value, list):
            waiting.extend(value)
    return tuple(sorted(found))


def _has_expression(fields: Any, layer_type: type[Layer]) -> bool:
    if isinstance(fields, str):
        return fields not in words_of(layer_type)
    items: Any = fields.values() if isinstance(fields, dict) else fields if isinstance(fields, list) else ()
    return any(_has_expression(item, layer_type) for item in items)


def blocks_end(blocks: Mapping[str, BlockTemplate], problems: list[Problem]) -> bool:
    """Whether no block uses itself, however indirectly, and no chain of them is too long."""
    heights: dict[str, int] = {}  # blocks above each other
    before = len(problems)

    def height(name: str, chain: tuple[str, ...]) -> int:
        if name in chain:
            circle = " → ".join(map(quoted, (*chain[chain.index(name) :], name)))
            message = f"block {quoted(name)} uses itself: {circle}"
            problems.append(Problem(message, ("blocks", name), help="blocks may nest, but not recur"))
            return 0
        if name not in heights and len(chain) <= MAX_DEPTH:
            used = dict.fromkeys(item.entry.type for item in blocks[name].entries if item.layer_type is None)
            heights[name] = 1 + max((height(one, (*chain, name)) for one in used if one in blocks), default=0)
        return heights.get(name, 1)

    for name in blocks:
        if height(name, ()) > MAX_DEPTH and len(problems) == before:
            message = f"blocks nest more than {MAX_DEPTH} deep, from {quoted(name)} on"
            problems.append(Problem(message, ("blocks", name), help="nest them less"))
    return len(problems) == before


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
