"""The public API: reading a spec, and what can be asked of a network at once. `archcalc` offers these names."""

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
    """The network as an ordinary PyTorch module with fresh weights; needs PyTorch.

    `spec` is what `load` takes, with its options, or a network that is loaded already. Modules bear the names of the
    spec's layers; layers in blocks are in modules of the block's name. `forward` takes the inputs in the order of the
    spec, each with the batch in front, and returns a tensor, or a tuple where there are several outputs. `device` may
    be `"meta"`, where a network of any size takes no memory; `dtype` replaces that of the floating-point parameters.

    PyTorch's `torch.export` writes names of submodules into code that it runs: of a spec that you do not trust, export
    the source text instead, which does not.

    Raises what `load` raises, and UsageError without PyTorch, for a device that is not there, and for a layer whose
    name a PyTorch module needs itself.
    """
    from archcalc.pytorch.build import build as build_network

    if not isinstance(spec, Network):
        spec = load(spec, variables=variables, inputs=inputs, training=training)
    elif variables or inputs or training:
        raise UsageError("a network that is loaded already takes no variables, inputs or training", "give them to load")
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
    """The closed forms of parameters, MACs and shapes, as SymPy expressions; needs SymPy.

    `symbols` are variables of the spec. A size of an input, and the batch, may be a symbol too: a word in the place of
    a number, as in `inputs={"image": (3, "H", "W")}`. The rest is what `load` takes. Symbols are whole numbers, or
    real ones where the spec gives a decimal. The spec's own values of them decide what they have to (`when`,
    comparisons), and the formula's `conditions` say so; whether layers fit is checked for these values alone.

    Raises what `load` raises, and UsageError without SymPy, for a name that is no number of the spec, and for a closed
    form that is too large.
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
    networks: Sequence[Network] | Mapping[str, Network], *, depth: int | None = None, counting: str | None = None
) -> "Comparison":
    """Networks side by side: totals, layers where these match, and how far each network is from the first.

    A mapping gives the networks labels; without, they are labelled by their names. `depth` collapses blocks as
    `Network.collapsed` does. Layers are beside each other where their names are the same, and between those where their
    types are. `counting` adds a quantity `count`: operations as a convention such as `"fvcore"` has them.

    Raises UsageError for fewer than two networks, and for a convention that does not exist.
    """
    from archcalc.analysis.comparison import compare as compare_contexts
    from archcalc.analysis.comparison import distinct

    if not isinstance(networks, Mapping):
        names = [getattr(network, "name", "") for network in networks]
        networks = dict(zip(distinct(names), networks, strict=True))
    for network in networks.values():
        if not isinstance(network, Network):
            raise UsageError(f"a comparison takes networks, not {type(network).__name__}", "load them first")
    return compare_contexts({label: network.context for label, network in networks.items()}, depth, counting)
