"""Finds modules that are frozen or have another dtype than float32."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.layers.base import FLOATING
from archcalc.structure import Group, Keys, Unit, groups_in

MIXED = "mixed"


class WeightState(NamedTuple):
    """The common state of all weights of a unit: MIXED if they differ, None without weights."""

    frozen: bool | str | None = None
    dtype: str | None = None

    def together(self, other: "WeightState") -> "WeightState":
        """The common state of two units."""
        frozen = _common(self.frozen, other.frozen)
        return WeightState(frozen, _common(self.dtype, other.dtype))


def _common(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return one if one == other else MIXED


class Weights:
    """The states of all units, and the tensors of every layer."""

    def __init__(self, context: AnalysisContext, root: Group) -> None:
        self._context = context
        nodes = context.graph.nodes
        self.layers = [self._state(position) for position in range(len(nodes))]
        self.groups: dict[Group, WeightState] = {}
        for group in reversed([*groups_in(root)]):
            state = WeightState()
            for part in group.parts.values():
                state = state.together(self.state(part))
            self.groups[group] = state

    def state(self, unit: Unit) -> WeightState:
        """The state of a unit."""
        return self.layers[unit] if isinstance(unit, int) else self.groups[unit]

    def tensors(self, position: int) -> tuple[str, ...]:
        """The names of a layer's parameters and buffers."""
        inferred = self._context.layer_at(position)
        return *inferred.parameters, *inferred.buffers

    def _state(self, position: int) -> WeightState:
        nodes = self._context.graph.nodes
        owner = nodes[position].owner
        position = position if owner is None else owner
        inferred = self._context.layer_at(position)
        frozen = not nodes[position].trainable if inferred.parameters else None
        dtype = inferred.output.dtype
        floating = dtype if dtype in FLOATING else "float32"
        return WeightState(frozen, floating if inferred.parameters or inferred.buffers else None)

    def marks(self, keys: Keys, unit: Unit) -> Iterator[tuple[Keys, str]]:
        """The calls that set the state of a unit, or of the copies of a repeated entry where their states differ."""
        state = self.state(unit)
        if state.frozen is True:
            yield keys, "requires_grad_(False)"
        if state.dtype not in (None, MIXED, "float32"):
            yield keys, f"to(torch.{state.dtype})"
        if isinstance(unit, Group) and unit.instance is None:
            for key, part in unit.parts.items():
                for inner, mark in self.marks((*keys, key), part):
                    if _is_unset(state, mark):
                        yield inner, mark


def _is_unset(state: WeightState, mark: str) -> bool:
    return state.frozen == MIXED if mark.startswith("requires") else state.dtype == MIXED
