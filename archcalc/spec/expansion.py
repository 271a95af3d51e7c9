"""Expands a spec to a flat list of layers: resolves variables, blocks, `repeat` and `when`.

Names in a block are local; the instance's name and a full stop go in front of them (`stage2.0.reduce.conv`). An edge
is still the name of its producer, which `archcalc.graph` looks up.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from archcalc.errors import Path, Problem, quoted
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Layer
from archcalc.spec.bindings import dimensions, read_inputs, read_variables
from archcalc.spec.blame import Blame
from archcalc.spec.document import SpecDocument
from archcalc.spec.evaluation import Evaluator, TooLargeError, Variables
from archcalc.spec.expanded import ExpandedLayer, Expansion, Instance, Source
from archcalc.spec.expense import Expense
from archcalc.spec.expressions import UNFIT
from archcalc.spec.names import EntryNames
from archcalc.spec.problems import convert, convert_rest, find_problems, fitting, is_any_meant
from archcalc.spec.schema import ENTRY_KEYS, Entry, Spec
from archcalc.spec.templates import BlockTemplate, Template, TemplateReader, endless
from archcalc.spec.values import format_value, is_right
from archcalc.spec.wanted import Wanted, wanted
from archcalc.tracing import Number

if TYPE_CHECKING:
    from archcalc.spec.budget import Limit
    from archcalc.spec.ignore import Ignored


class Use(Struct, frozen=True, gc=False):
    """One copy of an entry: its full name, its input edges, and the variables in scope."""

    name: str
    sources: tuple[Source, ...]
    variables: Variables
    number: str = ""  # `.0` for the first of several copies


class Scope(Struct, frozen=True, gc=False):
    """The scope of the entries in an instance of a block; `prefix` goes in front of their names."""

    prefix: str
    variables: Variables
    instances: tuple[Instance, ...] = ()
    inputs: tuple[str, ...] = ()  # names of the block's inputs
    weights: Source | None = None  # the scope of the instance whose weights this one shares
    trainable: bool = True

    @property
    def arguments(self) -> Variables:
        """The arguments of the innermost block instance."""
        return next((use.arguments for use in reversed(self.instances) if use.copies is None), {})


def expand(document: SpecDocument, settings: Variables, inputs: Mapping[str, list[Any]], training: bool) -> Expansion:
    """Expand a spec. `settings` replace its variables, `inputs` the shapes of its inputs.

    Errors are collected in the expansion's `problems`, so that `connect` can add to them. Raises SpecError if the
    layers are in the wrong table or the spec expands to too much.
    """
    unfit: list[Problem] = []
    data = fitting(document.data, unfit)
    if "layers" not in data:
        from archcalc.spec.misplaced import find_misplaced

        if misplaced := [*find_misplaced(data)]:
            raise document.error([*unfit, *misplaced])  # all other problems would follow from this one
    replacing = fitting({"variables": dict(settings), "inputs": dict(inputs)}, unfit)
    problems: list[Problem] = []
    spec = convert(data, Spec, (), problems) or convert_rest(data, Spec)
    return _Expander(document, spec, unfit + problems, training).run(replacing["variables"], replacing["inputs"])


class _Expander:
    def __init__(self, document: SpecDocument, spec: Spec, problems: list[Problem], training: bool) -> None:
        self.document = document
        self.spec = spec
        self.problems = problems
        self.training = training
        self.read = TemplateReader(spec.blocks, dimensions(spec.inputs), problems)
        self.evaluate = Evaluator(problems)
        self.blocks: dict[str, BlockTemplate] = {}
        self.layers: list[ExpandedLayer] = []
        self.aliases: dict[str, Source] = {}
        self.dropped: set[str] = set()
        self.broken: set[str] = set()
        self.names: set[str] = set()  # of all entries used
        self.searched: set[Path] = set()  # wrong entries whose values have been checked
        self.used: set[str] = set()  # blocks
        self.blame = Blame(problems)
        self.loose: list[Source] = []  # edges that wrong entries and blocks read
        self.doubts: dict[str, EntryNames] = {}
        self.expense = Expense(problems)
        # Keyed by template and the values it depends on; most copies of an entry are equal.
        self.layers_made: dict[object, Layer] = {}
        self.arguments_made: dict[object, tuple[Variables, Variables]] = {}

    def run(self, settings: Variables, shapes: Mapping[str, list[Any]]) -> Expansion:
        try:
            return self._expand(settings, shapes)
        except TooLargeError:
            raise self.document.error(self.problems) from None

    def _expand(self, settings: Variables, shapes: Mapping[str, list[Any]]) -> Expansion:
        self.variables = variables = read_variables(self.spec, settings, self.training, self.read, self.evaluate)
        inputs, self.broken = read_inputs(self.spec, self.document.data, shapes, settings, variables, self.evaluate)
        for name, data in self.spec.blocks.items():
            if block := self.read.block(name, data):
                self.blocks[name] = block
        # With several inputs the first layer must name one, even if the others are wrong.
        names = tuple(self.spec.inputs) if len(self.spec.inputs) > 1 else tuple(item.name for item in inputs)
        entries = self.read.entries(self.spec.layers, ("layers",), [*names], numbered=False)
        for name in endless(self.blocks, self.problems):
            del self.blocks[name]  # no use of it can be expanded
        last = self._expand_entries(entries, Scope("", variables, inputs=names), names[0] if len(names) == 1 else None)
        if unused := [block for name, block in self.blocks.items() if name not in self.used]:
            from archcalc.spec.unused_blocks import search_unused

            search_unused(unused, self.variables, self.evaluate, self.problems)
        outputs = [Source("", name, ("outputs", i)) for i, name in enumerate(self.spec.outputs or [])]
        return Expansion(
            name=self.spec.name,
            source=self.spec.source,
            variables=dict(variables),
            inputs=inputs,
            layers=self.layers,
            aliases=self.aliases,
            dropped=self.dropped,
            broken=self.broken,
            loose=self.loose,
            doubts=self.doubts,
            outputs=outputs,
            last=Source("", last, ("layers",)) if last else None,
            budget=self._budget(),
            ignored=self._ignored(expected=not (settings or shapes or self.training)),
            problems=self.problems,
        )

    def _budget(self) -> "tuple[Limit, ...]":
        if not self.spec.budget:
            return ()
        from archcalc.spec.budget import read_budget

        return read_budget(self.spec.budget, self.problems)

    def _ignored(self, expected: bool) -> "tuple[Ignored, ...]":
        if not self.spec.ignore:
            return ()
        from archcalc.spec.ignore import read_ignored

        def holds(value: Any, path: Path) -> bool:
            return bool(self.evaluate.value(value, self.variables, path))

        return read_ignored(self.spec.ignore, holds, expected, self.problems)

    # entries as they are used

    def _expand_entries(self, entries: list[Template], scope: Scope, first: str | None) -> str:
        """Expand the entries of one scope in order; return the full name of the last."""
        previous = first
        if entries and entries[0].names.in_doubt:
            self.doubts[scope.prefix] = entries[0].names
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
        before = len(self.problems)
        count = self._repeat(template, scope)
        self._blame(before, template, scope, Use(full_name.rstrip("."), sources, scope.variables))
        if count == 0:
            self.expense.entry(full_name, len(sources), template.path)
        together = Instance(full_name, template.entry.type, template.path, {}, count)
        inner = structs.replace(scope, instances=(*scope.instances, together)) if template.name else scope
        for index in range(count):
            copy = Use(f"{group}{index}", sources, {**scope.variables, "index": index}, f".{index}")
            self._expand_entry(template, inner, copy)
            # Each further copy reads the copy before it; its other inputs stay the same.
            sources = (Source("", copy.name, template.path), *sources[1:])
        together.copies = sum(f"{group}{index}" not in self.dropped for index in range(count))
        if full_name not in self.broken and not together.copies:
            self.dropped.add(full_name)
        return self._alias(full_name, sources)

    def _alias(self, full_name: str, sources: tuple[Source, ...]) -> str:
        if sources:
            self.aliases[full_name] = sources[0]
        else:
            self.broken.add(full_name)
        return full_name

    def _break(self, use: Use) -> None:
        """Mark an entry as wrong, so that no more problems of it or its consumers are reported."""
        self.broken.add(use.name)
        self._alias(use.name, use.sources)

    def _sources(self, template: Template, scope: Scope, previous: str | None) -> tuple[Source, ...]:
        if template.reads is not None:
            return tuple([Source(scope.prefix, name, path) for name, path in template.reads])
        if previous is not None:
            return (Source("", previous, template.path),)
        if not scope.inputs:
            return ()
        names = ", ".join(map(quoted, scope.inputs))
        message = f"the first layer must say which input it reads: {names}"
        self.problems.append(Problem(message, template.path, help=f"add input = {quoted(scope.inputs[0])}"))
        return ()

    def _expand_entry(self, template: Template, scope: Scope, use: Use) -> None:
        self.expense.entry(use.name, len(use.sources), template.path)
        self.expense.evaluate(template.cost, template.path)
        entry = template.entry
        if entry.when is not True and not self._truth("when", template, scope, use):
            self.dropped.add(use.name)
            self._alias(use.name, use.sources)
            return
        trained = entry.trainable is True or self._truth("trainable", template, scope, use)
        self.names.add(use.name)
        lends = entry.weights is not None or scope.weights is not None
        weights, trainable = self._weights(template, scope, use) if lends else None, scope.trainable and trained
        if template.wanted is not None:
            self._search_on(template, template.wanted, use)
            self._break(use)
        elif template.layer_type is None:
            self._expand_block(template, scope, use, weights, trainable)
        elif layer := template.constant or self._layer(template, template.layer_type, scope, use):
            path, instances = template.path, scope.instances
            functional = entry.functional is not False and self._truth("functional", template, scope, use)
            self.layers.append(
                ExpandedLayer(
                    name=use.name,
                    layer=layer,
                    sources=use.sources,
                    path=path,
                    instances=instances,
                    weights=weights,
                    trainable=trainable,
                    functional=functional,
                )
            )
        else:
            self._break(use)

    def _search_on(self, template: Template, wanted: Mapping[str, Wanted], use: Use) -> None:
        """Check the values of an entry that is already wrong, once for all its copies, and note its input edges."""
        if template.path in self.searched:
            return
        self.searched.add(template.path)
        known = {key: value for key, value in template.fields.items() if key in wanted}
        fields = self.evaluate.fields(known, use.variables, template.path, wanted)
        self._check_fields(template, fields, wanted, use)
        if template.reads is not None:
            self.loose.extend(use.sources)

    def _check_fields(self, template: Template, fields: dict[str, Any], known: Mapping[str, Wanted], use: Use) -> None:
        """Check an entry whose keys alone are wrong, unless one of them is another name of a known key."""
        layer_type = LAYER_TYPES.get(template.entry.type)
        if layer_type and is_right(fields, layer_type):
            unless = partial(is_any_meant, [key for key in template.fields if key not in known], known)
            for error in msgspec.convert(fields, layer_type).check_fields():
                self.problems.append(structs.replace(error.problem(use.name, template.path), unless=unless))

    def _weights(self, template: Template, scope: Scope, use: Use) -> Source | None:
        """The layer whose weights an entry shares: the named one, or its namesake in the instance that its block names.

        Copy i of an entry shares the weights of copy i of the other entry, if that is repeated too.
        """
        name = template.entry.weights
        if name is not None:
            copied = f"{scope.prefix}{name}{use.number}" in self.names
            return Source(scope.prefix, name + use.number if copied else name, (*template.path, "weights"))
        if scope.weights is None or template.names.is_doubtful(template.name):
            return None
        name = (template.name + use.number).removeprefix(".")
        return Source(scope.weights.scope, name, scope.weights.path)

    def _expand_block(
        self, template: Template, scope: Scope, use: Use, weights: Source | None, trainable: bool
    ) -> None:
        block = self.blocks.get(template.entry.type)
        if block is None:  # the block is wrong, which is already reported
            self._break(use)
            return
        self.used.add(block.name)
        if template.reads is not None:
            self.loose.extend(use.sources)  # the block's layers may not read all of them
        names, prefix = block.block.inputs, f"{use.name}."
        if use.sources and len(use.sources) != len(names):
            wanted = f"{len(names)} input{'s' * (len(names) > 1)} ({', '.join(names)})"
            message = f"block {quoted(block.name)} takes {wanted}, but reads {len(use.sources)}"
            remedy = "list them in inputs = […]" if len(use.sources) < len(names) else "leave out the others"
            self.problems.append(Problem(message, template.path, help=remedy))
            self._break(use)
            return
        for name, source in zip(names, use.sources, strict=False):
            self.expense.name(prefix + name, template.path)
            self.aliases[prefix + name] = source
        variables, arguments = self._arguments(block, template, scope, use)
        inner = Scope(
            prefix=prefix,
            variables=variables,
            instances=(*scope.instances, Instance(use.name, block.name, template.path, arguments)),
            inputs=tuple(names),
            weights=weights and Source(f"{weights.scope}{weights.name}.", "", weights.path),
            trainable=trainable,
        )
        last = self._expand_entries(block.entries, inner, prefix + names[0] if len(names) == 1 else None)
        self.aliases[use.name] = Source("", last, template.path)
        if not use.sources:
            self.broken.add(use.name)

    def _arguments(
        self, block: BlockTemplate, template: Template, scope: Scope, use: Use
    ) -> tuple[Variables, Variables]:
        """The variables inside a block instance (the spec's and the block's own), and its own alone."""
        key = _dependencies(template, use.variables)
        if key in self.arguments_made:
            return self.arguments_made[key]
        self.expense.evaluate(len(self.variables) + len(block.block.parameters), template.path)
        before = len(self.problems)
        passed = self.evaluate.fields(template.fields, use.variables, template.path)
        self._blame(before, template, scope, use)
        inside = {**self.variables, **dict.fromkeys(block.block.parameters, UNFIT), **passed}
        before, path = len(self.problems), ("blocks", block.name, "defaults")
        for name, value in block.block.defaults.items():
            if name not in passed:
                inside[name] = self.evaluate.value(value, inside, (*path, name))
        arguments = {name: inside[name] for name in (*block.block.parameters, *block.block.defaults)}
        self.blame.name(before, path, block.block.defaults, use.name, arguments)
        made = inside, arguments
        if key:
            self.arguments_made[key] = made
        return made

    def _layer(self, template: Template, layer_type: type[Layer], scope: Scope, use: Use) -> Layer | None:
        key = _dependencies(template, use.variables)
        if key in self.layers_made:
            return self.layers_made[key]
        before = len(self.problems)
        layer = self._make_layer(template, layer_type, use.variables)
        self._blame(before, template, scope, use)
        if key and layer:
            self.layers_made[key] = layer
        return layer

    def _blame(self, before: int, template: Template, scope: Scope, use: Use) -> None:
        if len(self.problems) > before:
            written = {**structs.asdict(template.entry), **template.fields}
            local = {*scope.arguments, "index"}
            own = {name: value for name, value in use.variables.items() if name in local}
            self.blame.name(before, template.path, written, use.name, own)

    def _make_layer(self, template: Template, layer_type: type[Layer], variables: Variables) -> Layer | None:
        known = {name: value for name, value in template.fields.items() if name in layer_type.__struct_fields__}
        fields = self.evaluate.fields(known, variables, template.path, wanted(layer_type))
        try:
            return msgspec.convert(fields, layer_type)
        except msgspec.ValidationError:
            from archcalc.spec.numbers import convert_numbers

            if (found := convert_numbers(fields, layer_type)) is None:
                self.problems.extend(
                    find_problems(
                        template.fields | fields,
                        layer_type,
                        template.path,
                        also_known=ENTRY_KEYS,
                        written=template.fields,
                    )
                )
                return None
            return found

    def _truth(self, key: str, template: Template, scope: Scope, use: Use) -> bool:
        before = len(self.problems)
        path = (*template.path, key)
        value = self.evaluate.value(getattr(template.entry, key), use.variables, path, wanted(Entry)[key])
        self._blame(before, template, scope, use)
        return bool(value)

    def _repeat(self, template: Template, scope: Scope) -> int:
        path = (*template.path, "repeat")
        count = self.evaluate.value(template.entry.repeat, scope.variables, path, wanted(Entry)["repeat"])
        if count is UNFIT:
            self.broken.add(scope.prefix + template.name)
            return 0
        if type(count) is not int or count < 0:
            self.broken.add(scope.prefix + template.name)
            repeat = format_value(template.entry.repeat)
            message = f"repeat = {repeat} gives {format_value(count)}, which is not a number of copies"
            remedy = "use a whole number, 0 or more"
            if isinstance(count, Number):
                message = f"repeat = {format_value(template.entry.repeat)} depends on a symbol, {format_value(count)}"
                remedy = "the number of layers in a formula is fixed: keep this variable a number"
            self.problems.append(Problem(message, path, help=remedy))
            return 0
        self.expense.copies(count, format_value(count), path)
        return count


def _dependencies(template: Template, variables: Variables) -> object:
    """A cache key for the layer or arguments of a template; None if it depends on a list or a table."""
    if not template.variables:
        return id(template)
    values = [variables.get(name) for name in template.variables]
    kinds = [*map(type, values)]
    # The types are part of the key, since True == 1 == 1.0.
    return None if list in kinds or dict in kinds else (id(template), *values, *kinds)
