"""Writes the `forward` method of a class: names the tensors, and writes a statement for every step."""

from itertools import pairwise
from typing import Any, NamedTuple

from archcalc.export.definitions import Definition, Definitions
from archcalc.export.layout import INDENT, WIDTH, Call, Lines, literal
from archcalc.export.names import is_plain, variable
from archcalc.export.sharing import unit_at
from archcalc.layers.base import size_text
from archcalc.module_names import Names
from archcalc.structure import Group, Keys, Step

TENSOR = "torch.Tensor"


def access(group: Group, keys: Keys) -> str:
    """The expression for a submodule in the methods of a class."""
    text, unit = "self", group
    odd: list[str] = []
    for key in keys:
        numbered = unit.is_chain or unit.is_list
        if not numbered and not is_plain(key):
            odd.append(key)
        else:
            text += _looked_up(odd) + (f"[{key}]" if numbered else f".{key}")
            odd = []
        part = unit.parts[key]
        unit = part if isinstance(part, Group) else Group()
    return text + _looked_up(odd)


def _looked_up(keys: list[str]) -> str:
    return f".get_submodule({literal('.'.join(keys))})" if keys else ""


class Loop(NamedTuple):
    """Steps that call all modules of a list in order; the inputs at `places` are the output of the step before."""

    steps: list[Step]
    places: set[int]


class Forward:
    """Writes the `forward` of one class."""

    def __init__(self, definitions: Definitions, definition: Definition) -> None:
        self._graph = definitions.context.graph
        self._tensors = definitions.context.tensors
        self._definitions = definitions
        self._definition = definition
        self._group = group = definition.group
        self._steps = self._needed()
        self._readers = self._find_readers()
        self._names = Names(["x", "out", "outputs", "layer", "_"])
        self._inputs = self._input_names()
        self._values = dict(zip(group.inputs, self._inputs, strict=True))
        # The name of an input that is read again later must not be reassigned.
        kept = any(self._readers.get(edge, ()) not in ((), (0,)) for edge in group.inputs if self._values[edge] == "x")
        self._passing = "out" if kept else "x"

    def lines(self) -> Lines:
        """The source lines of the method."""
        outputs = self._group.outputs
        several = f"tuple[{', '.join([TENSOR] * len(outputs))}]" if len(outputs) < 3 else f"tuple[{TENSOR}, ...]"
        annotation = TENSOR if len(outputs) == 1 else several
        parameters = ["self", *(f"{name}: {TENSOR}" for name in self._inputs)]
        found = Call("def forward", parameters).lines("", f" -> {annotation}:", 1)
        number = 0
        while number < len(self._steps):
            if loop := self._find_loop(number):
                found += self._loop(number, loop)
                number += len(loop.steps)
            else:
                found += self._step(number, self._steps[number])
                number += 1
        if not self._returns_last():
            found += self._return()
        return found

    def _find_loop(self, number: int) -> "Loop | None":
        """The steps from `number` on that call all modules of a list, each with the output of the one before."""
        keys = self._steps[number].keys
        owner = unit_at(self._group, keys[:-1])
        if not isinstance(owner, Group) or not owner.is_list or keys[-1] != "0" or len(owner.parts) < 2:
            return None
        steps = self._steps[number : number + len(owner.parts)]
        if [step.keys for step in steps] != [(*keys[:-1], key) for key in owner.parts]:
            return None
        places = {place for place, edge in enumerate(steps[1].inputs) if edge in steps[0].outputs}
        follows = all(self._follows(*pair, places) for pair in pairwise(steps))
        single = all(
            self._readers.get(step.outputs[0]) == (number + at,) for at, step in enumerate(steps[:-1], start=1)
        )
        return Loop(steps, places) if follows and single else None

    def _follows(self, before: Step, step: Step, places: set[int]) -> bool:
        """Whether a step reads the output of the step before at `places`, and the same inputs at all others."""
        if len(before.outputs) != 1 or len(step.outputs) != 1 or len(before.inputs) != len(step.inputs):
            return False
        pairs = enumerate(zip(before.inputs, step.inputs, strict=True))
        return all(new == before.outputs[0] if place in places else new == old for place, (old, new) in pairs)

    def _loop(self, number: int, loop: "Loop") -> Lines:
        first, last = loop.steps[0], loop.steps[-1]
        (start,) = {first.inputs[place] for place in loop.places}
        before = self._values[start]
        self._values.update(dict.fromkeys((step.outputs[0] for step in loop.steps), self._passing))
        target = self._target(number + len(loop.steps) - 1, last, last.outputs[0])
        target = self._passing if target == "_" else target
        found = [f"{INDENT * 2}{target} = {before}"] if target != before else []
        arguments = [target if place in loop.places else self._values[edge] for place, edge in enumerate(first.inputs)]
        found.append(f"{INDENT * 2}for layer in {access(self._group, first.keys[:-1])}:")
        self._values[last.outputs[0]] = target
        return found + Call("layer", arguments).lines(f"{target} = ", "", 3)

    def _needed(self) -> list[Step]:
        """The steps without expressions whose value is never read."""
        read = set(self._group.outputs)
        found = []
        for step in reversed(self._group.steps):
            if step.keys not in self._definition.expressions or read & {*step.outputs}:
                found.append(step)
                read.update(step.inputs)
        return found[::-1]

    def _find_readers(self) -> dict[int, tuple[int, ...]]:
        """The numbers of the steps that read each edge; the return statement counts as one more step."""
        found: dict[int, dict[int, None]] = {}
        for number, step in enumerate(self._steps):
            for edge in step.inputs:
                found.setdefault(edge, {})[number] = None
        for edge in self._group.outputs:
            found.setdefault(edge, {})[len(self._steps)] = None
        return {edge: (*numbers,) for edge, numbers in found.items()}

    def _input_names(self) -> list[str]:
        group = self._group
        if group.parent is None:
            names = Names(["out", "outputs", "layer", "_"])
            found = [names.add(variable(name)) for name in self._graph.inputs]
        elif len(group.inputs) == 1:
            return ["x"]
        else:
            written = self._written_inputs()
            names = Names(["out", "outputs", "layer", "_"])
            found = [names.add(variable(written.get(edge, "x"))) for edge in group.inputs]
        for name in found:
            self._names.add(name)
        return found

    def _written_inputs(self) -> dict[int, str]:
        """The names of the block's inputs in the spec, for edges that a layer of the block reads."""
        instance = self._group.instance
        block = self._graph.document.data["blocks"][instance.block] if instance else {}
        found: dict[int, str] = {}
        for step in self._group.steps:
            entry = self._definitions.entry(self._group, step.keys)
            names: list[Any] = entry.get("inputs") or [entry.get("input")]
            if isinstance(step.unit, int) and len(step.keys) == 1:
                pairs = zip(step.inputs, names, strict=False)
                found.update({edge: name for edge, name in pairs if name in block.get("inputs", ())})
        return found

    def _returns_last(self) -> bool:
        """Whether the value of the last step is the only output."""
        looped = bool(self._steps) and self._ends_in_loop()
        return (
            bool(self._steps)
            and not looped
            and self._steps[-1].outputs == self._group.outputs
            and len(self._group.outputs) == 1
        )

    def _ends_in_loop(self) -> bool:
        owner = unit_at(self._group, self._steps[-1].keys[:-1])
        start = len(self._steps) - len(owner.parts) if isinstance(owner, Group) else 0
        return start >= 0 and self._find_loop(start) is not None

    def _step(self, number: int, step: Step) -> Lines:
        arguments = [self._values[edge] for edge in step.inputs]
        if number == len(self._steps) - 1 and self._returns_last():
            return self._statement("return ", step, arguments)
        targets = [self._target(number, step, edge) for edge in step.outputs]
        for edge, target in zip(step.outputs, targets, strict=True):
            self._values[edge] = target
        if all(target == "_" for target in targets):
            return self._statement("", step, arguments)
        return self._assign(targets, step, arguments)

    def _assign(self, targets: list[str], step: Step, arguments: list[str]) -> Lines:
        lines = self._statement(f"{', '.join(targets)} = ", step, arguments)
        if len(targets) == 1 or all(len(line) <= WIDTH for line in lines):
            return lines
        found = self._statement("outputs = ", step, arguments)
        indexed = ((number, target) for number, target in enumerate(targets) if target != "_")
        return found + [f"{INDENT * 2}{target} = outputs[{number}]" for number, target in indexed]

    def _target(self, number: int, step: Step, edge: int) -> str:
        """The variable for a value: the reused one if only the next step reads it, else a variable of its own."""
        readers = self._readers.get(edge, ())
        if not readers:
            return "_"
        if readers == (number + 1,) and len(step.outputs) == 1 and not self._starts_branch(number, step):
            return self._passing
        is_first = edge == step.outputs[0]
        name = "_".join(step.keys) if is_first else self._graph.edge_names[edge].rpartition(".")[2]
        return self._names.add(variable(name))

    def _starts_branch(self, number: int, step: Step) -> bool:
        """Whether a value is a whole branch: it reads a named tensor, and the layer that merges branches reads it."""
        follows = self._passing in [self._values[edge] for edge in step.inputs]
        return not follows and number + 1 < len(self._steps) and len(self._steps[number + 1].inputs) > 1

    def _statement(self, before: str, step: Step, arguments: list[str]) -> Lines:
        text = self._definition.expressions.get(step.keys)
        if text is None:
            return self._commented(self._call(before, step, arguments), step)
        if (step.keys, ()) in self._definition.texts:
            return self._condition(before, step, text, arguments)
        return self._commented(_expression(before, text, arguments, 2), step)

    def _condition(self, before: str, step: Step, text: str, arguments: list[str]) -> Lines:
        """The statement of an expression that some instances lack; these use its first argument instead."""
        flag = access(self._group, step.keys)
        lines = _expression(before, text, arguments, 2)
        line = f"{lines[0]} if {flag} else {arguments[0]}"
        if len(lines) == 1 and len(line) <= WIDTH:
            return [line]
        passed = f"{INDENT * 3}{before}{arguments[0]}"
        yes = [f"{INDENT * 2}if {flag}:", *_expression(before, text, arguments, 3)]
        if before == f"{arguments[0]} = ":
            return yes
        return [*yes, f"{INDENT * 2}else:", passed]

    def _call(self, before: str, step: Step, arguments: list[str]) -> Lines:
        function = access(self._group, step.keys)
        if len(before + function) > WIDTH - 3 * len(INDENT):
            found = Call("self.get_submodule", [literal(".".join(step.keys))]).lines("layer = ", "", 2)
            return found + Call("layer", arguments).lines(before, "", 2)
        return Call(function, arguments).lines(before, "", 2)

    def _commented(self, lines: Lines, step: Step) -> Lines:
        """The line with its value's shape as a comment, if the shape has changed and the line has space."""
        tensor, *before = (self._tensors[edge] for edge in (step.outputs[0], *step.inputs[:1]))
        if self._group.parent is not None or len(lines) != 1 or len(step.outputs) != 1 or tensor is None:
            return lines
        line = f"{lines[0]}  # {size_text(tensor.shape)}"
        changes = not before or before[0] is None or before[0].shape != tensor.shape
        return [line] if changes and len(line) <= WIDTH else lines

    def _return(self) -> Lines:
        names = [self._values[edge] for edge in self._group.outputs]
        line = f"{INDENT * 2}return {', '.join(names)}"
        return [line] if len(line) <= WIDTH else Call("", names).lines("return ", "", 2)


def _expression(before: str, text: str, arguments: list[str], depth: int) -> Lines:
    written = text.format(*arguments)
    if not text.startswith("torch.cat(("):
        return [f"{INDENT * depth}{before}{written}"]
    dim = written.rpartition(", ")[2].removesuffix(")")
    return Call("torch.cat", [Call("", arguments), dim]).lines(before, "", depth)
