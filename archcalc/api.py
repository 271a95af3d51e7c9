"""The public API, which `archcalc` exports: functions that load, build and compare networks, and their classes."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from archcalc.analysis.field import ReceptiveField
from archcalc.analysis.summary import LayerSummary, Totals
from archcalc.errors import ArchcalcError, Diagnostic, SpecError, UsageError
from archcalc.loading import load, loads, mapping_of, path_of, sizes_of
from archcalc.network import Network, ShapeError
from archcalc.spec.document import read, shipped_specs

if TYPE_CHECKING:
    import torch

    from archcalc.analysis.comparison import Comparison
    from archcalc.analysis.formula import Formula
    from archcalc.pytorch.build import BuiltNetwork

__all__ = [
    "ArchcalcError",
    "Diagnostic",
    "LayerSummary",
    "Network",
    "ReceptiveField",
    "ShapeError",
    "SpecError",
    "Totals",
    "UsageError",
    "build",
    "compare",
    "formula",
    "load",
    "loads",
    "shipped_specs",
]


def build(
    spec: Network | str | PathLike[str],
    *,
    variables: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    training: bool = False,
    device: "str | torch.device" = "cpu",
    dtype: "str | torch.dtype | None" = None,
) -> "BuiltNetwork":
    """Build the network as an ordinary PyTorch module with fresh weights; needs PyTorch.

    `spec` is what `load` takes, with its options, or a network that is already loaded. Modules have the names of the
    spec's layers; layers of a block are in a module of the block's name. `forward` takes the inputs in the order of the
    spec, each with a batch axis first, and returns a tensor, or a tuple if there are several outputs. On the device
    `"meta"` a network of any size takes no memory. `dtype` replaces the dtype of floating-point parameters.

    PyTorch's `torch.export` writes names of submodules into code that it runs. For a spec that you do not trust, use
    `Network.to_source` instead.

    Raises what `load` raises, and UsageError without PyTorch, for a missing device, and for a layer whose name is an
    attribute of every PyTorch module.
    """
    from archcalc.pytorch.build import build as build_network

    if not isinstance(spec, Network):
        spec = load(spec, variables=variables, inputs=inputs, training=training)
    elif variables or inputs or training:
        raise UsageError("a loaded network takes no variables, inputs or training", "pass them to load")
    return build_network(spec, device, dtype)


def formula(
    path_or_name: str | PathLike[str],
    symbols: Iterable[str] = (),
    *,
    variables: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int | str]] | None = None,
    training: bool = False,
    batch: int | str = 1,
) -> "Formula":
    """Return the closed forms of parameters, MACs and shapes, as SymPy expressions; needs SymPy.

    `symbols` are variables of the spec. A size of an input, and the batch, may be symbols too: names in place of
    numbers, as in `inputs={"image": (3, "H", "W")}`. The other arguments are those of `load`. A symbol is a whole
    number, or a real one if its value in the spec is a decimal. The spec's values of the symbols decide `when` and
    comparisons, and `conditions` of the formula lists these decisions. Whether layers fit is checked only for these
    values.

    Raises what `load` raises, and UsageError without SymPy, for a symbol that is no number of the spec, and for a
    closed form that is too large.
    """
    import archcalc.symbolic  # noqa: F401  # says what to install
    from archcalc.analysis.formula import find_formula

    if isinstance(symbols, str):
        raise UsageError(f"symbols must be names, as in [{symbols!r}], and is {symbols!r}")
    if not isinstance(batch, str) and (type(batch) is not int or batch < 1):
        raise UsageError(f"batch must be a whole number, 1 or more, or a name, and is {batch!r}")
    settings = mapping_of("variables", variables)
    shapes = {name: sizes_of(name, shape, words=True) for name, shape in mapping_of("inputs", inputs).items()}
    return find_formula(read(path_of(path_or_name)), symbols, settings, shapes, training, batch)


def compare(
    *networks: Network | Sequence[Network] | Mapping[str, Network],
    depth: int | None = None,
    counting: str | None = None,
) -> "Comparison":
    """Compare networks: their totals, the layers that match, and the difference of each network from the first.

    `networks` are several, or one sequence or mapping of them. The keys of a mapping are the networks' labels; else
    their names are. `depth` collapses blocks as
    `Network.collapsed` does. Layers are matched by name, and between matched layers by type. `counting` is a counting
    convention such as `"fvcore"`; it adds the quantity `count`, the operations by this convention.

    Raises UsageError for fewer than two networks, and for a convention that does not exist.
    """
    from archcalc.analysis.comparison import compare as compare_contexts
    from archcalc.analysis.comparison import distinct

    is_one = len(networks) == 1 and isinstance(networks[0], Sequence | Mapping) and not isinstance(networks[0], str)
    one: Any = networks[0] if is_one else networks
    members = [*one.values()] if isinstance(one, Mapping) else [*one]
    for network in members:
        if not isinstance(network, Network):
            raise UsageError(f"a comparison takes networks, not {type(network).__name__}", "load them first")
    labels = [*one] if isinstance(one, Mapping) else distinct([network.name for network in members])
    contexts = (network.context for network in members)
    return compare_contexts(dict(zip(labels, contexts, strict=True)), depth, counting)
