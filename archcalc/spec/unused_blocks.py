"""Checks blocks that are not used, or whose uses are left out. Imported where a spec has one."""

from collections.abc import Iterable
from functools import partial

from archcalc.errors import Problem, Remedy, did_you_mean, quoted
from archcalc.spec.evaluation import Evaluator, Variables
from archcalc.spec.expense import end_search
from archcalc.spec.expressions import UNFIT
from archcalc.spec.templates import BlockTemplate
from archcalc.spec.wanted import wanted


def search_unused(
    blocks: Iterable[BlockTemplate], variables: Variables, evaluate: Evaluator, problems: list[Problem]
) -> None:
    """Note the problems of blocks that do not depend on their arguments; `variables` are the spec's."""
    for block in blocks:
        names = {*block.block.parameters, *block.block.defaults, "index"}
        inside = {**variables, **dict.fromkeys(names, UNFIT)}
        for template in block.entries:
            kinds = wanted(template.layer_type) if template.layer_type else template.wanted or {}
            known = {key: value for key, value in template.fields.items() if key in kinds}
            evaluate.names(known, inside, template.path, kinds)
            if template.constant and template.entry.when is True and template.entry.repeat is None:
                found = template.constant.check_fields()
                problems += (error.problem(template.name, template.path) for error in found)
            end_search(problems)
        _search_edges(block, problems)


def _search_edges(block: BlockTemplate, problems: list[Problem]) -> None:
    known = [*block.block.inputs, *(template.name for template in block.entries if template.name)]
    names, found = block.entries[0].names, {*known}
    for name, path in (read for template in block.entries for read in template.reads or ()):
        first = name.split(".")[0]
        if not {name, first} & found and not first.isdecimal() and not names.is_doubtful(first):
            message = f"no layer or input is called {quoted(name)}"
            problems.append(Problem(message, path, help=Remedy(name, partial(did_you_mean, name, known))))
