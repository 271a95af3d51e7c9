"""Memory as text: for a terminal, a pipe, a page, a spreadsheet or a program."""

from archcalc.analysis.collapse import Collapsed, collapse
from archcalc.analysis.memory import LayerMemory, Memory
from archcalc.errors import printable
from archcalc.graph import Graph
from archcalc.numbers.bounds import Amount, AtLeast, causes_of, floor_of, highest, total, value_text
from archcalc.numbers.units import mebibytes
from archcalc.render.json_text import json_text
from archcalc.render.text_table import Style, csv_text, escaped, inputs_text, page_table, reason_lines, text_table

FORMATS = ("table", "plain", "markdown", "csv", "json")
_MARK = "◀"


def collapse_memory(memory: Memory, graph: Graph, depth: int | None) -> Memory:
    """The same with a row for every block at `depth`: its output, all that it keeps, the most alive in it."""
    names = [*graph.inputs, *(node.name for node in graph.nodes)]
    before = {node.name: names[node.sources[0]] for node in graph.nodes}
    return memory._replace(layers=tuple(_closed(group, before) for group in collapse(memory.layers, graph, depth)))


def _closed(group: Collapsed[LayerMemory], before: dict[str, str]) -> LayerMemory:
    backward = [row.backward for row in group.rows if row.backward is not None]
    return LayerMemory(
        group.name,
        group.type,
        _output(group, before),
        total((row.name, row.saved) for row in group.rows),
        highest(row.forward for row in group.rows),
        highest(backward) if backward else None,
    )


def _output(group: Collapsed[LayerMemory], before: dict[str, str]) -> int:
    """What the output of a group takes. A view, or what works in place, has the memory of what it reads first."""
    outputs = {row.name: row.output for row in group.rows}
    name = group.last.name
    while not outputs.get(name, 1):
        name = before[name]
    return outputs.get(name, 0)


def render_memory(memory: Memory, graph: Graph, format_name: str, style: Style | None = None) -> str:
    """The memory of a network in one of FORMATS."""
    if format_name == "json":
        return json_text(memory.to_dict())
    if format_name == "csv":
        return _csv(memory)
    style = style or Style()
    header, rows = _header(memory), [_cells(row, memory) for row in memory.layers]
    if format_name == "markdown":
        notes = (escaped(" ".join(line.split()), "markdown") for line in _foot(memory, Style(width=10**6)))
        return "\n\n".join([page_table(header, rows, "markdown", left=(0, 1)), *notes])
    table = text_table(header, rows, style, left=(0, 1), narrowed=(0, 1), rules=int(format_name == "table"))
    return "\n".join([*_head(memory, graph, style), "", *table, "", *_foot(memory, style)])


def _head(memory: Memory, graph: Graph, style: Style) -> list[str]:
    inputs = inputs_text({name: tensor.shape for name, tensor in graph.inputs.items()})
    which = f"training with {memory.optimizer}" if memory.optimizer else "training" if memory.training else "inference"
    dtype = f" · {memory.dtype}" if memory.dtype else ""
    return [style.bold(printable(memory.name)), f"input {inputs} · batch {memory.batch}{dtype} · {which}"]


def _header(memory: Memory) -> list[str]:
    passes = ["Saved", "Forward", "Backward"] if memory.training else ["Live"]
    return ["Layer", "Type", "Output", *passes, "Peak"]


def _cells(row: LayerMemory, memory: Memory) -> list[str | None]:
    # A block is marked where its most is the peak.
    sizes = [row.saved, row.forward, row.backward] if memory.training else [row.forward]
    mark = _MARK if floor_of(row.live) == floor_of(memory.peak) else " "
    return [
        printable(row.name),
        row.type,
        *(None if size is None else value_text(size, mebibytes) for size in [row.output, *sizes]),
        mark,
    ]


def _foot(memory: Memory, style: Style) -> list[str]:
    """What the peak is made of."""
    parts: list[tuple[str, Amount, str]] = [("Weights", memory.weights, ""), ("Buffers", memory.buffers, "")]
    if memory.training:
        parts.append(("Gradients", memory.gradients, "of parameters, at the peak"))
    if memory.optimizer:
        parts.append(("Optimizer", memory.optimizer_state, f"state of {memory.optimizer}"))
    values = "values and their gradients" if memory.training else "values"
    parts.append(("Activations", memory.activations, f"{values}, at the peak"))
    parts.append(("Peak", memory.peak, peak_place(memory)))
    rows = [(label, value_text(size), value_text(size, mebibytes), note) for label, size, note in parts]
    widths = [max(len(row[column]) for row in rows) for column in (1, 2)]
    lines = [
        f"{label:<11}  {size:>{widths[0]}} bytes  {short:>{widths[1]}}" + (style.dim(f"  {note}") if note else "")
        for label, size, short, note in rows
    ]
    return [*lines, style.dim("MiB = 2²⁰ bytes"), *reason_lines("≥", causes_of(memory.peak), style)]


def peak_place(memory: Memory) -> str:
    """Where the peak is; of a lower bound where so much is alive, since the peak may be elsewhere."""
    where = f"in layer {printable(memory.peak_layer)}, {memory.peak_pass} pass"
    return f"so much {where}" if isinstance(memory.peak, AtLeast) else where


def _csv(memory: Memory) -> str:
    records = [row.to_dict() for row in memory.layers]
    return csv_text([*LayerMemory._fields, "live", "lower_bound"], [[*record.values()] for record in records])
