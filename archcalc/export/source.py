"""Writes a network as the source text of a PyTorch module, as a person would write it.

Nothing here imports PyTorch, and no text of a spec becomes code: names are checked or replaced, values are literals,
and expressions are generated from their syntax tree.
"""

import re
from collections.abc import Iterator

from archcalc.analysis.context import AnalysisContext
from archcalc.errors import UsageError, printable, quoted
from archcalc.export.construct import ABSENT, COUNT, LISTED, STEP, Construct, Make, Run, Series, Slot, value_at
from archcalc.export.copied import module_source
from archcalc.export.definitions import Definition, Definitions
from archcalc.export.forward import Forward, access
from archcalc.export.layout import INDENT, WIDTH, Call, Item, Lines, Repeat, docstring, literal, value_text
from archcalc.export.names import TAKEN, is_plain
from archcalc.export.proof import find_fault
from archcalc.export.sharing import unit_at
from archcalc.graph import Graph
from archcalc.layers.base import size_text
from archcalc.module_names import check_names
from archcalc.structure import Group, Keys, find_structure

SHORT = 30  # letters of an expression for a submodule; a longer one gets a variable


def to_source(context: AnalysisContext) -> str:
    """The text of a Python module that defines the network as a class and needs nothing but PyTorch.

    Its state_dict has the keys and shapes of the module that `archcalc.build` makes. The text is read back and compared
    with the network; if it differs, it is written again with one class per block instance. Raises UsageError for layers
    with a name that PyTorch modules reserve.
    """
    check_names(find_structure(context.graph))
    text = write(context)
    if find_fault(context, text) is None:
        return text
    plain = write(context, plain=True)
    if fault := find_fault(context, plain):
        raise UsageError(f"{quoted(context.graph.name)} cannot be written as source text: {printable(fault)}")
    return plain


def write(context: AnalysisContext, plain: bool = False) -> str:
    """The text before comparison; `plain` writes a class for every block instance."""
    custom = module_source()
    definitions = Definitions(context, {*TAKEN, *custom.names}, plain)
    writers = [_ClassWriter(definitions, definition) for definition in definitions.classes]
    classes = ["\n".join(writer.lines()) for writer in writers]
    copied = custom.copy(name for writer in writers for name in writer.used)
    standard = [line for line in copied.imports if "torch" not in line]
    functional = [line for line in copied.imports if line == "from torch.nn import functional"]
    imports = [*standard, *([""] if standard else []), "import torch"]
    text = "\n\n\n".join([*copied.definitions, *classes])
    imports += (["from torch import nn"] if "nn." in text else []) + functional
    return "\n".join([*_header(context.graph), "", *imports, "", "", text, ""])


def _header(graph: Graph) -> Lines:
    lines = [f"{printable(graph.name)}."]
    if graph.source:
        lines += ["", printable(graph.source)]
    return docstring("\n".join(lines), 0)


class _ClassWriter:
    """Writes one class."""

    def __init__(self, definitions: Definitions, definition: Definition) -> None:
        self._definitions = definitions
        self._definition = definition
        self._group = definition.group
        self._modules = {
            keys: constructs for keys, constructs in definition.modules.items() if keys not in definition.expressions
        }
        self.used: set[str] = set()  # classes that it constructs

    def lines(self) -> Lines:
        """The source lines of the class."""
        base = "nn.Sequential" if self._group.is_chain else "nn.Module"
        found = [f"class {self._definition.name}({base}):", *docstring(self._documentation(), 1)]
        if self._modules or self._definition.texts:
            found += ["", *self._init()]
        if not self._group.is_chain:
            found += ["", *Forward(self._definitions, self._definition).lines()]
        return found

    def _documentation(self) -> str:
        instance = self._group.instance
        if instance:
            count = len(self._definition.groups)
            return f"Block {printable(instance.block)}, used {count} time{'s' * (count > 1)}."
        graph, tensors = self._definitions.context.graph, self._definitions.context.tensors
        inputs = (f"{printable(name)} N×{size_text(tensor.shape)}" for name, tensor in graph.inputs.items())
        outputs = (f"N×{size_text(tensor.shape)}" for edge in graph.outputs if (tensor := tensors[edge]))
        return f"{printable(graph.name)}: {', '.join(inputs)} → {', '.join(outputs)}."

    # the constructor

    def _init(self) -> Lines:
        parameters = ["self", *(self._parameter(number) for number in range(len(self._definition.parameters)))]
        found = Call("def __init__", parameters).lines("", " -> None:", 1)
        derived = [f"{INDENT * 2}{name} = {text}" for name, text in self._definition.derived.items()]
        if self._group.is_chain:
            construct = self._construct((), self._modules[()][0])
            assert isinstance(construct, Call)
            found += [*derived, *Call("super().__init__", construct.items).lines("", "", 2)]
        else:
            found += [f"{INDENT * 2}super().__init__()", *derived, *self._assignments(), *self._flags()]
        return [*found, *self._states(), *self._shared()]

    def _parameter(self, number: int) -> str:
        parameter = self._definition.parameters[number]
        default = "" if parameter.default is ABSENT else f" = {literal(parameter.default)}"
        return f"{parameter.name}: {parameter.annotation}{default}"

    def _assignments(self) -> Iterator[str]:
        containers = set[Keys]()
        for keys in self._modules:
            for depth in range(1, len(keys)):
                if keys[:depth] not in containers:
                    containers.add(keys[:depth])
                    yield from self._assign(keys[:depth], Call("nn.Module", []), 2)
            yield from self._module(keys)

    def _flags(self) -> Iterator[str]:
        """Boolean attributes for the optional expressions of `forward`."""
        for keys, slot in self._definition.texts:
            if keys in self._definition.expressions and not slot:
                yield from self._assign(keys, self._definition.texts[keys, slot], 2)

    def _module(self, keys: Keys) -> Lines:
        if keys in self._definition.aliases:
            lines, module = self._reach(self._definition.aliases[keys], "owner")
            return [*lines, *self._assign(keys, module, 2)]
        made = self._construct(keys, next(filter(None, self._modules[keys])))
        condition = self._definition.texts.get((keys, ()))
        if condition is None:
            return self._assign(keys, made, 2)
        lines = self._assign(keys, f"{made} if {condition} else nn.Identity()", 2)
        if " if " not in condition and all(len(line) <= WIDTH for line in lines):
            return lines
        identity = self._assign(keys, Call("nn.Identity", []), 3)
        return [f"{INDENT * 2}if {condition}:", *self._assign(keys, made, 3), f"{INDENT * 2}else:", *identity]

    def _assign(self, keys: Keys, made: Item, depth: int) -> Lines:
        owner = access(self._group, keys[:-1])
        parent = unit_at(self._group, keys[:-1])
        if isinstance(parent, Group) and (parent.is_chain or parent.is_list):
            return [f"{INDENT * depth}{owner}[{keys[-1]}] = {made}"]
        if not is_plain(keys[-1]):
            return Call(f"{owner}.add_module", [literal(keys[-1]), made]).lines("", "", depth)
        before = f"{owner}.{keys[-1]} = "
        return [f"{INDENT * depth}{before}{made}"] if isinstance(made, str) else made.lines(before, "", depth)

    def _construct(self, keys: Keys, construct: Construct | None) -> Item:
        assert construct
        return self._written(keys, construct, (), self._modules[keys])

    def _written(self, keys: Keys, construct: Construct, at: Slot, in_instances: list[Construct | None]) -> Item:
        """The text of a construct; `at` is its slot in the constructs of all instances."""
        if isinstance(construct, Series):
            items: list[Item] = []
            for number, run in enumerate(construct.runs):
                item = self._written(keys, run.construct, (*at, number), in_instances)
                items += self._copies(item, keys, (*at, number, COUNT), run)
            return Call(construct.name, _listed(items) if construct.name == "nn.ModuleList" else items)
        self.used.add(construct.name)
        parts = (_part(whole, at) for whole in in_instances)
        calls = [part for part in parts if isinstance(part, Make)]
        names = dict.fromkeys(name for call in calls for name in call.options)
        order = {name: number for number, name in enumerate(construct.defaults)}
        options = sorted(names, key=lambda name: order.get(name, len(order)))
        items = [self._value(keys, (*at, name), "", in_instances) for name in construct.arguments]
        items += [self._value(keys, (*at, name), name, in_instances) for name in options]
        return Call(construct.name, items)

    def _copies(self, item: Item, keys: Keys, slot: Slot, run: Run) -> list[Item]:
        text = self._definition.texts.get((keys, slot))
        if text is None and run.times <= LISTED:
            return [item] * run.times
        return [Repeat(item, f"for {'index' if run.steps else '_'} in range({text or run.times})")]

    def _value(self, keys: Keys, slot: Slot, option: str, in_instances: list[Construct | None]) -> Item:
        text = self._definition.texts.get((keys, slot))
        values = (value_at(construct, slot) for construct in in_instances)
        value = next(value for value in values if value is not ABSENT)
        if step := self._step(keys, slot, in_instances):
            text = growing(text or literal(value), step)
        if text is None:
            return value_text(value, option)
        return f"{option}={text}" if option else text

    def _step(self, keys: Keys, slot: Slot, in_instances: list[Construct | None]) -> str | None:
        """The expression for the step of a value from one copy to the next; None if it is constant."""
        series = _part(next(filter(None, in_instances)), slot[:-2]) if len(slot) > 1 else None
        if not isinstance(series, Series) or not isinstance(slot[-2], int):
            return None
        step = dict(series.runs[slot[-2]].steps).get(str(slot[-1]))
        return None if step is None else self._definition.texts.get((keys, (*slot, STEP)), str(step))

    # weights

    def _states(self) -> Lines:
        found: Lines = []
        for keys, mark in self._definition.shape.marks:
            if keys not in self._definition.aliases:
                function, _, argument = mark.removesuffix(")").partition("(")
                lines, module = self._reach(keys, "layer")
                found += [*lines, *Call(f"{module}.{function}", [argument]).lines("", "", 2)]
        return found

    def _shared(self) -> Lines:
        found: Lines = []
        for user, owner in self._definition.sharing.same.items():
            lines, module = self._reach(owner, "owner")
            found += [*lines, *self._assign(user, module, 2)]
        for user, (owner, tensors) in self._definition.sharing.tied.items():
            lines, module = self._reach(owner, "owner")
            more, other = self._reach(user, "user")
            found += [*lines, *more, *(f"{INDENT * 2}{other}.{tensor} = {module}.{tensor}" for tensor in tensors)]
        return found

    def _reach(self, keys: Keys, name: str) -> tuple[Lines, str]:
        """Statements and an expression for a submodule; a long expression is assigned to a variable first."""
        text = access(self._group, keys)
        if len(text) <= SHORT:
            return [], text
        return Call("self.get_submodule", [literal(".".join(keys))]).lines(f"{name} = ", "", 2), name


def _listed(items: list[Item]) -> list[Item]:
    """The items as a list; a single repeated item as a list comprehension."""
    if len(items) == 1 and isinstance(items[0], Repeat):
        return [Repeat(items[0].item, items[0].loop, is_list=True)]
    return [Call("", items, "[]")]


def growing(start: str, step: str) -> str:
    """An expression for a value that grows with `index`."""
    first, factor = (text if re.fullmatch(r"\w+( (\*|//) \w+)*", text) else f"({text})" for text in (start, step))
    if step.startswith("-"):
        return f"{first} - {step[1:]} * index" if step != "-1" else f"{first} - index"
    grown = "index" if step == "1" else f"{factor} * index"
    return grown if start == "0" else f"{first} + {grown}"


def _part(construct: Construct | None, at: Slot) -> Construct | None:
    """The construct in a slot of another one."""
    for number in at:
        if not isinstance(construct, Series) or not isinstance(number, int):
            return None
        run = construct.runs[number]
        construct = run.construct if run.times else None
    return construct
