"""The memory of a network as a document."""

from typing import TYPE_CHECKING, Any

from archcalc.numbers.bounds import Amount, AtLeast, causes_of, floor_of, known
from archcalc.render.cells import fact_text
from archcalc.render.document import BYTES, COUNT, NAME, Column, Document, Fact, Facts, Row, Table, notes_of, tree_row
from archcalc.render.words import inputs_text

if TYPE_CHECKING:
    from archcalc.analysis.memory import LayerMemory, Memory

_MARK = "◀"


def memory_document(memory: "Memory") -> Document:
    """The memory of a pass, layer by layer, and the parts of its peak."""
    dtype = f" · {memory.dtype}" if memory.dtype else ""
    return Document(
        title=memory.name,
        head=[f"input {inputs_text(memory.inputs)} · batch {memory.batch}{dtype} · {memory.mode}"],
        parts=[Table(_columns(memory), _rows(memory)), Facts(_parts_of_peak(memory))],
        notes=notes_of("≥", causes_of(memory.peak)),
        data=memory.to_dict,
        records=lambda: [row.to_dict() for row in memory.layers],
    )


def _columns(memory: "Memory") -> list[Column]:
    passes = ["Saved", "Forward", "Backward"] if memory.training else ["Live"]
    sizes = [Column("Output", BYTES, priority=2), *(Column(name, BYTES) for name in passes)]
    return [Column("Layer", NAME), Column("Type", priority=3), *sizes, Column("Peak", priority=2)]


def _rows(memory: "Memory") -> list[Row]:
    if memory.tree:
        return [tree_row(_cells(row, memory), level, is_block) for row, level, is_block in memory.tree]
    return [Row(_cells(row, memory)) for row in memory.layers]


def _cells(row: "LayerMemory", memory: "Memory") -> list[Any]:
    sizes = [row.saved, row.forward, row.backward] if memory.training else [row.forward]
    # A block is marked if the peak is in it.
    is_peak = floor_of(row.live) == floor_of(memory.peak)
    return [row.name, row.type, row.output, *sizes, _MARK if is_peak else ""]


def _parts_of_peak(memory: "Memory") -> list[Fact]:
    values = "values and their gradients" if memory.training else "values"
    facts = [_fact("Weights", memory.weights), _fact("Buffers", memory.buffers)]
    if memory.training:
        facts.append(_fact("Gradients", memory.gradients, "of parameters, at the peak"))
    if memory.optimizer:
        facts.append(_fact("Optimizer", memory.optimizer_state, f"state of {memory.optimizer}"))
    facts.append(_fact("Activations", memory.activations, f"{values}, at the peak"))
    return [*facts, _fact("Peak", memory.peak, peak_place(memory))]


def _fact(label: str, size: Amount, note: str = "") -> Fact:
    short = fact_text(BYTES, "", size) if (known(size) or 0) >= 1024 else ""  # else the value has its shortest unit
    return Fact(label=label, value=size, kind=COUNT, unit="bytes", short=short, note=note)


def peak_place(memory: "Memory") -> str:
    """The place of the peak; if the peak is a lower bound, the place of the bound."""
    where = f"in layer {memory.peak_layer}, {memory.peak_pass} pass"
    return f"this much {where}" if isinstance(memory.peak, AtLeast) else where
