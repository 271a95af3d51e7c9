"""Attention."""

from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any, ClassVar

from archcalc.arithmetic import POINT, whole
from archcalc.layers.base import (
    FLOATING,
    Count,
    Dependency,
    Factor,
    KernelOp,
    KernelOps,
    Layer,
    Module,
    Positive,
    Probability,
    Product,
    Shape,
    Tensors,
    size_text,
    torch_module,
)
from archcalc.layers.constraints import ConstraintError, divides
from archcalc.tracing import Number, untraced

KERNELS = "PyTorch chooses among kernels for attention, which save different tensors"


PRODUCTS = ("query projection", "key projection", "value projection", "scores", "weighted sum", "output projection")


class MultiHeadAttention(Layer):
    """softmax(QKᵀ/√d)·V in `num_heads` heads, with its four projections (Vaswani et al. 2017).

    One input attends to itself; three are query, key and value; each `tokens × features`. The embedding size is the
    query's. MACs: four projections, the scores and the weighted sum. Other operations: the scaling of the queries, the
    softmax of each row of scores, the biases.
    """

    type: ClassVar[str] = "multi_head_attention"
    family: ClassVar[str] = "attention"
    label_fields: ClassVar[tuple[str, ...]] = ("num_heads",)
    input_names: ClassVar[tuple[str, ...]] = ("query", "key", "value")
    input_counts: ClassVar[tuple[int, int | None]] = (1, 3)
    channel_axis: ClassVar[int | None] = -1
    ranks: ClassVar[tuple[int, ...]] = (2,)
    takes: ClassVar[tuple[str, ...]] = FLOATING
    takes_one_dtype: ClassVar[bool] = True
    shapeless: ClassVar[tuple[str, ...]] = ("num_heads",)

    num_heads: Positive
    """Number of heads; the embedding size is a multiple of it."""
    bias: bool = True
    """Whether the four projections have a bias."""
    dropout: Probability = 0.0
    """Share of the attention weights that training sets to zero."""

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        query, *others = (tensor.shape for tensor in inputs)
        yield from divides("num_heads", self.num_heads, query[-1], "features")
        if len(inputs) == 2:
            remedy = 'name the value, too: inputs = ["query", "key", "key"] takes the key for it'
            yield ConstraintError("attention takes one input, or a query, a key and a value; not 2", help=remedy)
        if any(len(shape) != 2 for shape in others):
            yield ConstraintError(
                f"key and value must be tokens × features, but are {', '.join(map(size_text, others))}"
            )
        elif len(others) == 2 and others[0][0] != others[1][0]:
            yield ConstraintError(
                f"key and value have {others[0][0]} and {others[1][0]} tokens", help="make them equal"
            )

    def output_shape(self, inputs: Tensors) -> Shape:
        return inputs[0].shape

    def _sources(self, inputs: Tensors) -> tuple[Shape, Shape, Shape]:
        query, key, value = (inputs * 3 if len(inputs) == 1 else inputs)[:3]
        return query.shape, key.shape, value.shape

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        (_, features), (_, key_features), (_, value_features) = self._sources(inputs)
        if same_size(key_features, features) and same_size(value_features, features):
            projections: dict[str, Shape] = {"in_proj_weight": (3 * features, features)}
        else:
            projections = {
                "q_proj_weight": (features, features),
                "k_proj_weight": (features, key_features),
                "v_proj_weight": (features, value_features),
            }
        if self.bias:
            projections["in_proj_bias"] = (3 * features,)
        projections["out_proj.weight"] = (features, features)
        return {**projections, "out_proj.bias": (features,)} if self.bias else projections

    def _macs(self, inputs: Tensors) -> tuple[Any, ...]:
        """The MACs of the products, in the order of PRODUCTS."""
        (queries, features), (keys, key_features), (_, value_features) = self._sources(inputs)
        projection, attention = queries * features * features, queries * keys * features
        of_key, of_value = keys * key_features * features, keys * value_features * features
        return projection, of_key, of_value, attention, attention, projection

    def products(self, inputs: Tensors, output: Shape) -> tuple[Product, ...]:
        query, key, value = (0, 0, 0) if len(inputs) == 1 else (0, 1, 2)
        weights = Factor((), weights=True)
        projected = [Factor((number,), weights=True) for number in (query, key, value)]
        scores = Factor((query, key), weights=True)
        factors = [(Factor((number,)), weights) for number in (query, key, value)]
        factors += [(projected[0], projected[1]), (scores, projected[2]), (Factor((query, key, value), True), weights)]
        named = zip(self._macs(inputs), factors, PRODUCTS, strict=True)
        return tuple(Product(macs, left, right, name) for macs, (left, right), name in named)

    def bias_additions(self, inputs: Tensors, output: Shape) -> Any:
        (queries, features), (keys, _), _ = self._sources(inputs)
        return (2 * queries + 2 * keys) * features if self.bias else 0

    def product_outputs(self, inputs: Tensors, output: Shape) -> Count:
        (queries, features), (keys, _), _ = self._sources(inputs)
        projected, scores = (2 * queries + 2 * keys) * features, queries * keys * self.num_heads
        values: Count = projected + scores + queries * features
        return values

    operation_names: ClassVar[dict[str, str]] = {
        "multiplications": "scaling",
        "additions": "biases, softmax",
        "comparisons": "softmax",
        "exponentials": "softmax",
        "divisions": "softmax",
    }

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        (queries, features), (keys, _), _ = self._sources(inputs)
        scores = queries * keys * self.num_heads
        rows = queries * self.num_heads
        biases = self.bias_additions(inputs, output)
        return {
            "macs": reduce(add, self._macs(inputs)),
            "multiplications": queries * features,
            "additions": biases + 2 * scores - rows,
            "comparisons": scores - rows,
            "exponentials": scores,
            "divisions": scores,
        }

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        (queries, features), (keys, key_features), (_, value_features) = self._sources(inputs)
        weighted = (2 * queries * features + keys * (key_features + value_features)) * features
        links: Count = weighted + self.bias_additions(inputs, output)
        return links

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        features = [Dependency(whole(tensor.shape[-1]), 1) for tensor in inputs]
        tokens = [Dependency(whole(tensor.shape[0]), 0) for tensor in inputs]
        if len(inputs) > 1:
            tokens[0] = Dependency(POINT, 0)
        return tuple(zip(tokens, features, strict=True))

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        reads = (*range(len(inputs)), *self.parameters(inputs))
        return (KernelOp(reads, layout="unclear", unclear=KERNELS),)

    def module(self, inputs: Tensors) -> Module:
        features, *sources = (shape[-1] for shape in self._sources(inputs))
        sizes = dict(zip(("kdim", "vdim"), sources, strict=True)) if sources != [features] * 2 else {}
        arguments = {"features": features, "num_heads": self.num_heads}
        return torch_module("Attention", arguments, **sizes, **self.changed("bias", "dropout"))


def same_size(one: Any, other: Any) -> bool:
    """Whether two sizes are known to be equal; arrays and symbols are equal only if they are the same object."""
    one, other = untraced(one), untraced(other)
    if isinstance(one, Number):
        return one.equals(other)
    return one is other or (isinstance(one, int) and isinstance(other, int) and one == other)
