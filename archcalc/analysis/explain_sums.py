"""Explains the numbers of a block, or of the network, as sums over their parts."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import groupby

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.explain import explain
from archcalc.analysis.explanation import Derivation, Explanation, Explanations, Section
from archcalc.analysis.summary import LayerSummary, sum_of, summarize
from archcalc.numbers.bounds import Amount, value_text

MOST = 10_000  # layers that are explained at once


def explain_network(context: AnalysisContext) -> Explanation:
    """The totals of the network as sums over its top-level layers and blocks."""
    summary = summarize(context)
    parts = summary.collapsed(context.graph, 1).layers
    return Explanation(
        name=summary.name,
        type="network",
        summary="",
        inputs=summary.inputs,
        output_shape=context.tensors[context.graph.outputs[0]].shape,  # type: ignore[union-attr]
        sections=_sections(parts),
    )


class _Blocks:
    """The rows of a network at every depth that was asked for, and the parts of its blocks."""

    def __init__(self, context: AnalysisContext) -> None:
        self.context, self.summary = context, summarize(context)
        self.levels = {
            block.name: level for node in context.graph.nodes for level, block in enumerate(node.instances, start=1)
        }
        self.shapes = self.summary.inputs | {row.name: row.output_shape for row in self.summary.layers}
        self._rows: dict[int, dict[str, LayerSummary]] = {}
        self._parts: dict[int, dict[str, list[LayerSummary]]] = {}

    def rows(self, depth: int) -> dict[str, LayerSummary]:
        """The rows of layers, and of blocks collapsed below a depth, by name."""
        if depth not in self._rows:
            self._rows[depth] = {row.name: row for row in self.summary.collapsed(self.context.graph, depth).layers}
        return self._rows[depth]

    def parts(self, block: str) -> list[LayerSummary]:
        """The rows of the layers and blocks directly in a block."""
        depth = self.levels[block] + 1
        if depth not in self._parts:
            self._parts[depth] = {}
            for row in self.rows(depth).values():
                self._parts[depth].setdefault(row.name.rpartition(".")[0], []).append(row)
        return self._parts[depth][block]


def explain_block(context: AnalysisContext, name: str) -> Explanation:
    """The numbers of a block as sums over the layers and blocks in it."""
    return _explain_block(_Blocks(context), name)


def _explain_block(blocks: _Blocks, name: str) -> Explanation:
    rows = blocks.rows(blocks.levels[name])
    whole = rows[name]
    return Explanation(
        name=name,
        type=whole.type,
        summary="",
        inputs={
            source: rows[source].output_shape if source in rows else blocks.shapes[source] for source in whole.inputs
        },
        output_shape=whole.output_shape,
        sections=_sections(blocks.parts(name), name),
    )


def _sections(parts: Sequence[LayerSummary], block: str = "") -> tuple[Section, ...]:
    """A section for each sum; the parts of a block are named relative to it."""
    sums: dict[str, Sequence[Amount]] = {
        "parameters": [row.parameters for row in parts],
        "buffers": [row.buffers for row in parts],
        "macs": [row.macs for row in parts],
        "connections": [row.connections for row in parts],
    }
    names = [row.name.removeprefix(f"{block}.") for row in parts]
    return tuple(Section(title, (_sum(title, names, values),)) for title, values in sums.items() if _is_some(values))


def _is_some(values: Sequence[Amount]) -> bool:
    return any(value != 0 for value in values)


def _sum(label: str, names: Sequence[str], values: Sequence[Amount]) -> Derivation:
    """A sum such as `C1 + C3 = 156 + 2,416`, without zeros; equal terms in a row become a product."""
    terms = [(name, value_text(value)) for name, value in zip(names, values, strict=True) if value != 0]
    shown, texts = [], []
    for text, run in groupby(terms, key=lambda term: term[1]):
        members = [name for name, _ in run]
        shown += members if len(members) < 3 else [f"{members[0]} + … + {members[-1]}"]
        texts += [text] * len(members) if len(members) < 3 else [f"{len(members)}·{text}"]
    return Derivation(label, " + ".join(shown), " + ".join(texts), sum_of(names, values))


def explain_several(context: AnalysisContext, names: Sequence[str] = ()) -> Explanations:
    """Explain layers and blocks by name or by a pattern such as `layer4.*`; without names all layers and the network.

    Raises UsageError for a name or pattern that matches nothing.
    """
    graph = context.graph
    if not names:
        positions = range(min(len(graph.nodes), MOST))
        found = [explain(context, position) for position in positions]
        left_out = len(graph.nodes) - len(found)
        return Explanations(network=graph.name, explanations=(*found, explain_network(context)), left_out=left_out)
    wanted = [*dict.fromkeys(found for name in names for found in _matching(context, name))]
    blocks = _Blocks(context)
    explained = [
        _explain_block(blocks, name) if name in blocks.levels else explain(context, graph.position(name))
        for name in wanted[:MOST]
    ]
    return Explanations(network=graph.name, explanations=tuple(explained), left_out=max(len(wanted) - MOST, 0))


def _matching(context: AnalysisContext, name: str) -> list[str]:
    graph = context.graph
    if name in graph.block_outputs or name in graph.positions:
        return [name]
    found = [one for one in (*graph.positions, *graph.block_outputs) if fnmatchcase(one, name)]
    if not found:
        graph.position(name)  # raises
    return found
