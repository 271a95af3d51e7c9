"""The data of a whole spec: variables, inputs, outputs, and the entries outside blocks."""

from collections.abc import Callable
from typing import Any

from archcalc.layers.base import Tensor
from networks.blocks import BlockWriter
from networks.scope import Entry, Scope, load, table
from networks.values import expressed, fresh, word


class Writer(BlockWriter):
    """Writes one network, decision by decision."""

    def write(self) -> dict[str, Any] | None:
        """The data of a spec; None if it does not load."""
        self._set_variables()
        inputs = self._inputs()
        scope = Scope(dict(inputs), self._known({}), taken=set(inputs))
        scope.last = next(iter(inputs)) if len(inputs) == 1 else None
        self.choice.several(1, self.wishes.layers, lambda: self.extend(scope))
        if not scope.entries:
            self._add(scope, {"type": "identity", "inputs": [next(iter(inputs))]}, {})
        data: dict[str, Any] = {"name": self.choice.of(["random", 'a "name" <b>&', "x"])}
        if self.rare(10):
            data["source"] = "somebody et al. (2020), doi:10/1"
        if self.rare(5):
            data["budget"] = {"max": {"parameters": "1G"}, "min": {"layers": 1}}
        if outputs := self._outputs(scope):
            data["outputs"] = outputs
        if self.variables:
            data["variables"] = self.variables
        data["inputs"] = {name: self._input_table(tensor) for name, tensor in inputs.items()}
        data |= {"blocks": self.blocks} if self.blocks else {}
        data["layers"] = self._ordered(scope, outputs)
        return self._loading(data)

    def _loading(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """The data, without in-place layers if the network is refused with them."""
        if load(data, self.training):
            return data
        without = {**data, "layers": [_without_inplace(entry) for entry in data["layers"]]}
        if self.blocks:
            without["blocks"] = {
                name: {**block, "layers": [_without_inplace(entry) for entry in block["layers"]]}
                for name, block in self.blocks.items()
            }
        return without if load(without, self.training) else None

    def _set_variables(self) -> None:
        kinds: list[Callable[[], Any]] = [
            lambda: self.choice.integer(1, 4),
            lambda: self.choice.integer(1, 4),
            lambda: [self.choice.integer(1, 3) for _ in range(self.choice.integer(2, 4))],
            lambda: self.choice.chance(50),
            lambda: self.choice.of([1.5, 0.5, 2.0]),
        ]

        def add() -> None:
            self.variables[word(self.choice, self.variables)] = self.choice.of(kinds)()

        self.choice.several(0, 4 if self.wishes.language else 0, add)

    def _inputs(self) -> dict[str, Tensor]:
        count = self.choice.of([1, 1, 1, 2, 3]) if self.wishes.several else 1
        found: dict[str, Tensor] = {}
        for number in range(count):
            kind = self.choice.of(self.wishes.inputs)
            if number and self.choice.chance(50):
                self._name_input(found, self.choice.of([*found.values()]))  # shapes that can be merged
                continue
            for tensor in self._tensors(kind):
                self._name_input(found, tensor)
        return found

    def _name_input(self, found: dict[str, Tensor], tensor: Tensor) -> None:
        usual = [name for name in ("image", "x", "y", "z", "w", "v", "u") if name not in found]
        found[fresh(self.choice, found, 100) if self.rare(6) else usual[0]] = tensor

    def _tensors(self, kind: str) -> list[Tensor]:
        size = lambda: self.choice.integer(*self.wishes.sizes)  # noqa: E731
        channels = self.choice.integer(1, 6)
        if kind == "graph":
            nodes = size()
            full = nodes * nodes
            nonzeros = self.choice.of([None, self.choice.integer(0, full)])
            return [Tensor((nodes, channels)), Tensor((nodes, nodes), nonzeros=nonzeros)]
        if kind == "tokens":
            axes = [size() for _ in range(self.choice.of([1, 1, 1, 2]))]
            return [Tensor(tuple(axes), self.choice.of(["int64", "int64", "int32"]))]
        if kind == "features":
            return [Tensor((self.choice.integer(1, 12),), self._dtype())]
        if kind == "sequence":
            return [Tensor((size(), self.choice.of([1, 2, 4, 6])), self._dtype())]
        axes = [size() for _ in range(int(kind[3]))]
        axes = [min(axis, 7) for axis in axes] if kind == "map3d" else axes
        return [Tensor((channels, *axes), self._dtype())]

    def _dtype(self) -> str:
        other = self.wishes.dtypes and self.choice.chance(5)
        return self.choice.of(["float64", "bfloat16", "float16"]) if other else "float32"

    def _input_table(self, tensor: Tensor) -> Any:
        shape = [*tensor.shape]
        if self.rare(20):
            shape = expressed(self.choice, shape, self.variables)
        if tensor.dtype == "float32" and tensor.nonzeros is None and self.choice.chance(80):
            return shape
        return table(tensor) | {"shape": shape}

    def _outputs(self, scope: Scope) -> list[str]:
        """Names of outputs; empty if the last entry is the output."""
        names = [name for name in scope.edges if name not in ("",)]
        if scope.last is not None and self.choice.chance(60):
            return []
        wanted = [self.choice.of(names[-6:]) for _ in range(self.choice.integer(1, 3))]
        return list(dict.fromkeys([*([scope.last] if scope.last else []), *wanted]))

    def _ordered(self, scope: Scope, outputs: list[str]) -> list[Entry]:
        """The entries, sometimes with one before its input."""
        entries = scope.entries
        explicit = all(("input" in entry or "inputs" in entry) and "name" in entry for entry in entries)
        if outputs and explicit and len(entries) > 1 and self.rare(15):
            moved = self.choice.integer(1, len(entries) - 1)
            return [entries[moved], *entries[:moved], *entries[moved + 1 :]]
        return entries


def _without_inplace(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if key != "inplace"}
