"""Checks of what a spec names: whether it is of any use."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.lint.rule import Finding, rule
from archcalc.errors import Path
from archcalc.spec.templates import variables_in

NO_EXPRESSIONS = ("type", "name", "input", "inputs", "weights")  # of an entry


@rule("S701", "unused-name")
def _find_unused(network: AnalysisContext) -> Iterator[Finding]:
    """Nothing reads a variable of the spec, or a parameter of a block, or uses a block."""
    data = network.graph.document.data
    blocks: dict[str, Any] = data.get("blocks", {})
    inside = {
        name: _read([*_expressions(block["layers"]), block.get("defaults", {})]) for name, block in blocks.items()
    }
    outside = [*_expressions(data["layers"]), data.get("variables", {}), data["inputs"], _conditions(data)]
    read = _read(outside).union(*(found - {*_parameters(blocks[name])} for name, found in inside.items()))
    for name in data.get("variables", {}):
        if name not in read:
            yield _finding("variable", name, ("variables", name))
    used = _used(data["layers"], blocks)
    for name, block in blocks.items():
        if name not in used:
            yield _finding("block", name, ("blocks", name))
            continue
        for parameter, path in _parameters(block).items():
            if parameter not in inside[name]:
                yield _finding("parameter", f"{name}.{parameter}", ("blocks", name, *path))


def _finding(kind: str, name: str, path: Path) -> Finding:
    reason = "another value of it would change no number" if kind != "block" else "no layer of the network is in it"
    return Finding(
        names=(name,),
        message="nothing in the spec uses it",
        path=path,
        reason=reason,
        help="use it, or remove it",
        kind=kind,
    )


def _parameters(block: Mapping[str, Any]) -> dict[str, Path]:
    """What a block is told, and where that is said."""
    defaults: dict[str, Path] = {name: ("defaults", name) for name in block.get("defaults", {})}
    return {name: ("parameters", i) for i, name in enumerate(block.get("parameters", []))} | defaults


def _expressions(entries: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """The values of entries that may be expressions."""
    for entry in entries:
        yield from (value for key, value in entry.items() if key not in NO_EXPRESSIONS)


def _conditions(data: Mapping[str, Any]) -> list[Any]:
    return [entry.get("when") for entry in data.get("ignore", [])]


def _read(waiting: list[Any]) -> set[str]:
    """The names that expressions read, in tables and lists of them too."""
    found = list[Any]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        else:
            found.append(value)
    return {*variables_in(found)}


def _used(entries: Iterable[Mapping[str, Any]], blocks: Mapping[str, Any]) -> set[str]:
    """The blocks that entries use, and those that are used in these."""
    found, waiting = set[str](), [*entries]
    while waiting:
        name = waiting.pop()["type"]
        if name in blocks and name not in found:
            found.add(name)
            waiting.extend(blocks[name]["layers"])
    return found
