"""Checks of what a spec names: whether it is of any use."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.lint.rule import Finding, rule
from archcalc.errors import Path

_WORD = re.compile(r"[^\W\d]\w*")


@rule("S701", "unused-name")
def _find_unused(network: AnalysedGraph) -> Iterator[Finding]:
    """Nothing reads a variable of the spec, or a parameter of a block, or uses a block."""
    data = network.graph.document.data
    blocks: dict[str, Any] = data.get("blocks", {})
    read = _words([data])
    for name in data.get("variables", {}):
        if name not in read:
            yield _finding("variable", name, ("variables", name))
    used = _used(data["layers"], blocks)
    for name, block in blocks.items():
        path: Path = ("blocks", name)
        if name not in used:
            yield _finding("block", name, path)
        inside = _words([block["layers"], block.get("defaults", {})])
        for parameter in (*block.get("parameters", ()), *block.get("defaults", ())):
            if parameter not in inside:
                yield _finding("parameter", f"{name}.{parameter}", path)


def _finding(kind: str, name: str, path: Path) -> Finding:
    reason = "another value of it would change no number" if kind != "block" else "no layer of the network is in it"
    return Finding((name,), "nothing in the spec uses it", path, reason, "use it, or remove it", kind)


def _words(waiting: list[Any]) -> set[str]:
    """All words in the values of a document."""
    found = set[str]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.update((value, *_WORD.findall(value)))
        elif isinstance(value, dict | list):
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return found


def _used(entries: Iterable[dict[str, Any]], blocks: dict[str, Any]) -> set[str]:
    """The blocks that entries use, and those that are used in these."""
    found, waiting = set[str](), [*entries]
    while waiting:
        name = waiting.pop()["type"]
        if name in blocks and name not in found:
            found.add(name)
            waiting.extend(blocks[name]["layers"])
    return found
