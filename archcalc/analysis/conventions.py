"""Counting conventions as data: the terms that each tool adds to the MACs, and a sentence that describes them.

A convention is a sum of terms, the first of which is the plain MACs; `archcalc.analysis.counting` evaluates them for a
network. Each convention follows the source of its tool, and is compared with the tool on networks and single layers
(`tests/analysis/test_counting.py`). MACs are always archcalc's own: `tool_bugs` has the cases that a tool counts wrong.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Term(NamedTuple):
    """A quantity of some layers (`archcalc.analysis.counting.QUANTITIES`), times a factor.

    `of` are layer types or families, empty for all layers. `where` has a value for a field of the layer, or a predicate
    of it; `rank` is the number of axes of the output. `functional` selects layers that are function calls (True) or
    modules (False).
    """

    label: str
    quantity: str
    of: tuple[str, ...] = ()
    factor: int = 1
    where: Mapping[str, Any] = {}
    rank: int | None = None
    functional: bool | None = None


class ToolBug(NamedTuple):
    """A mistake of a tool that archcalc does not reproduce, for layers selected as by a term.

    `shared` selects layers that use another layer's weights, `axes` outputs with at least that many axes, and `uneven`
    inputs whose sizes are no multiples of the output's.
    """

    mistake: str
    of: tuple[str, ...] = ()
    where: Mapping[str, Any] = {}
    rank: int | None = None
    functional: bool | None = None
    shared: bool = False
    axes: int = 0
    uneven: bool = False


class Activations(NamedTuple):
    """The activation count of a convention."""

    title: str
    unit: str
    sentence: str
    terms: tuple[Term, ...]
    tool_bugs: tuple[ToolBug, ...] = ()


OWN_ACTIVATIONS = Activations(
    "Activations",
    "values",
    "The values of all outputs, except views of an input.",
    (Term("outputs", "new_outputs"),),
)


class Convention(NamedTuple):
    """A way to count operations. `source` is the tool or paper that it reproduces, with the version."""

    name: str
    unit: str
    sentence: str
    terms: tuple[Term, ...]
    source: str | None = None
    tool_bugs: tuple[ToolBug, ...] = ()
    activations: Activations = OWN_ACTIVATIONS

    @property
    def title(self) -> str:
        """The title of its column or total: `MACs`, `fvcore MACs`."""
        own = self.name == self.unit.lower()
        return self.unit[0].upper() + self.unit[1:] if own else f"{self.name} {self.unit}"


MACS = Term("MACs", "macs")
MACS_AGAIN = Term("MACs, a second time", "macs")
MAX_POOLING = ("max_pool1d", "max_pool2d", "max_pool3d")
AVERAGE_POOLING = ("avg_pool1d", "avg_pool2d", "avg_pool3d")


def is_fractional(scale: Any) -> bool:
    """Whether the scale factors of an upsampling are not all whole numbers."""
    return any(float(factor) % 1 for factor in (scale if isinstance(scale, tuple) else (scale or 1,)))


ADAPTIVE_AVERAGE = ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
ADAPTIVE_MAX = ("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
POOLING = (*MAX_POOLING, *AVERAGE_POOLING, *ADAPTIVE_AVERAGE, *ADAPTIVE_MAX)
OTHER_NORMS = ("layer_norm", "group_norm", "instance_norm")
BATCH_STATISTICS = {"track_running_stats": False}

TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
TRANSPOSED_AS_ORDINARY = ToolBug("counts a transposed convolution as an ordinary one", TRANSPOSED)
NO_ATTENTION = ToolBug("leaves out attention", ("attention",))
NO_ATTENTION_SCORES = ToolBug("leaves out the scores and the weighted sum of fused attention", ("attention",))
CALLS_INSIDE = "also counts functions that are called inside of the layer"
SHARED_TWICE = ToolBug("counts a shared module again for each other module that contains it", shared=True)
NO_DERIVED_CLASSES = ToolBug("leaves out classes derived from nn.Conv3d, such as torchvision's in R3D", ("conv3d",))

FVCORE_ACTIVATIONS = Activations(
    "fvcore activations",
    "values",
    "The outputs of convolutions, dense layers and matrix products.",
    (Term("outputs of products", "product_outputs"),),
    (NO_ATTENTION_SCORES,),
)
TORCHINFO_ACTIVATIONS = Activations(
    "torchinfo bytes",
    "bytes",
    "torchinfo's forward/backward pass size: twice the bytes of the outputs of layers that have parameters.",
    (
        Term(
            "outputs of layers with parameters, twice",
            "bytes_of_parametrized",
            ("convolution", "linear", "embedding", "prelu", "normalization"),
            2,
        ),
    ),
)

FVCORE = Convention(
    name="fvcore",
    unit="MACs",
    sentence=(
        "MACs; 2 for each value of a batch norm with running statistics, 5 of any other norm (1 and 4 without a "
        "scale); 1 for each value that adaptive_avg_pool2d reads; 1 for each value of a nearest and 4 of a bilinear "
        "upsampling of maps. fvcore calls them FLOPs."
    ),
    terms=(
        MACS,
        Term("batch norm, 2 per value", "outputs", ("batch_norm",)),
        Term("batch norm, 2 per value", "scaled_outputs", ("batch_norm",)),
        Term("batch statistics, 3 per value", "outputs", ("batch_norm",), 3, BATCH_STATISTICS),
        Term("other norms, 5 per value", "outputs", OTHER_NORMS, 4),
        Term("other norms, 5 per value", "scaled_outputs", OTHER_NORMS),
        Term("adaptive average pooling, 1 per value read", "inputs", ("adaptive_avg_pool2d",)),
        Term("nearest upsampling, 1 per value", "outputs", ("upsample",), 1, {"mode": "nearest"}, rank=3),
        Term("bilinear upsampling, 4 per value", "outputs", ("upsample",), 4, {"mode": "bilinear"}),
    ),
    source="fvcore 0.1.5.post20221221",
    tool_bugs=(NO_ATTENTION_SCORES,),
    activations=FVCORE_ACTIVATIONS,
)

_ALL = (
    Convention("macs", "MACs", "MACs of convolutions, matrix products and dense layers.", (MACS,)),
    Convention(
        "flops",
        "FLOPs",
        "2 for each MAC: a multiplication and an addition.",
        (MACS, MACS_AGAIN),
    ),
    Convention(
        "all",
        "operations",
        "Every elementary operation of any kind; a MAC is two.",
        (
            MACS,
            MACS_AGAIN,
            Term("biases", "other_operations", ("convolution", "linear")),
            Term("distances", "other_operations", ("rbf",)),
            Term("norms", "other_operations", ("normalization",)),
            Term("activations", "other_operations", ("activation",)),
            Term("pooling", "other_operations", ("pooling",)),
            Term("sums and products of branches", "other_operations", ("merging",)),
            Term("attention besides MACs", "other_operations", ("attention",)),
            Term("graph layers besides MACs", "other_operations", ("graph",)),
            Term("interpolation", "other_operations", ("shaping",)),
        ),
    ),
    Convention(
        name="torch",
        unit="FLOPs",
        sentence="2 for each MAC of a convolution, a matrix product or attention, and nothing else.",
        terms=(MACS, MACS_AGAIN),
        source="torch.utils.flop_counter of PyTorch 2.14",
        tool_bugs=(ToolBug("leaves out the scores and the weighted sum of attention fused on a CPU", ("attention",)),),
    ),
    Convention(
        name="torchvision",
        unit="MACs",
        sentence=(
            "MACs, and nothing else: what torchvision's tables of weights call GFLOPS, and `_ops` in their metadata."
        ),
        terms=(MACS,),
        source="torchvision 0.29",
    ),
    Convention(
        name="torchinfo",
        unit="MACs",
        sentence=(
            "MACs; 1 for each bias of each output; norms, PReLU and embeddings count their parameters, once per "
            "sample. torchinfo calls them mult-adds."
        ),
        terms=(
            MACS,
            Term("biases", "biases", ("convolution", "linear")),
            Term("parameters of norms", "parameters", ("normalization",)),
            Term("parameters of PReLU", "parameters", ("prelu",)),
            Term("tables of embeddings", "parameters", ("embedding",)),
        ),
        source="torchinfo 1.8.0",
        tool_bugs=(
            TRANSPOSED_AS_ORDINARY,
            ToolBug("counts a dense layer over tokens as if there were one token", ("linear",), axes=2),
            NO_ATTENTION,
        ),
        activations=TORCHINFO_ACTIVATIONS,
    ),
    FVCORE,
    FVCORE._replace(name="timm", sentence="As fvcore, which timm runs.", source=f"timm, with {FVCORE.source}"),
    Convention(
        name="ptflops",
        unit="MACs",
        sentence=(
            "MACs and biases; 2 for each value of a norm (1 without a scale, and of a layer norm); 1 for each value of "
            "an activation, that a pooling reads, or that an upsampling returns. A module that calls a function counts "
            "twice, once as a module and once as a function; a direct call of a function counts once."
        ),
        terms=(
            MACS,
            Term("biases", "biases", ("convolution", "linear", "attention")),
            Term("norms, 2 per value", "outputs", ("batch_norm", *OTHER_NORMS)),
            Term("norms, 2 per value", "scaled_outputs", ("batch_norm", "group_norm", "instance_norm")),
            Term("activations, as functions", "outputs", ("relu", "prelu", "elu", "gelu", "silu")),
            Term("activations, as functions", "outputs", ("relu6",), functional=True),
            Term(
                "activations, as modules",
                "outputs",
                ("relu", "prelu", "elu", "gelu", "leaky_relu", "relu6"),
                functional=False,
            ),
            Term("pooling, as functions", "inputs", POOLING),
            Term("pooling, as modules", "inputs", POOLING, functional=False),
            Term("softmax, 1 per value", "outputs", ("softmax",)),
            Term("upsampling, as functions", "outputs", ("upsample",)),
            Term("upsampling, as modules", "outputs", ("upsample",), functional=False),
            Term("scaling of queries", "multiplications", ("attention",)),
            Term("softmax, 1 per value", "exponentials", ("attention",)),
        ),
        source="ptflops 0.7.5, backend pytorch",
        tool_bugs=(
            SHARED_TWICE,
            NO_DERIVED_CLASSES,
            ToolBug(CALLS_INSIDE, ("attention", "local_response_norm")),
            ToolBug(
                "counts an upsampling by its scale factors, not by the whole sizes of its output",
                ("upsample",),
                {"scale_factor": is_fractional},
            ),
        ),
    ),
    Convention(
        name="ptflops-aten",
        unit="MACs",
        sentence="MACs, and 1 for each bias of each output of convolutions and dense layers.",
        terms=(MACS, Term("biases", "biases", ("convolution", "linear", "attention"))),
        source="ptflops 0.7.5, backend aten",
        tool_bugs=(NO_ATTENTION_SCORES,),
    ),
    Convention(
        name="thop",
        unit="MACs",
        sentence=(
            "MACs; 4 for each value of a batch, layer or instance norm (2 without a scale); 1 for each value that an "
            "average pooling returns, and that an adaptive one reads; 1 for each value of PReLU; 3n − 1 for a softmax "
            "of n; 1, 5 and 11 for each value of a nearest, linear and bilinear upsampling. Only modules count, not "
            "calls of functions."
        ),
        terms=(
            MACS,
            Term("norms, 4 per value", "outputs", ("batch_norm", "layer_norm", "instance_norm"), 2),
            Term("norms, 4 per value", "scaled_outputs", ("batch_norm", "layer_norm", "instance_norm"), 2),
            Term("adaptive average pooling, values read", "inputs", ADAPTIVE_AVERAGE, functional=False),
            Term("average pooling, values returned", "outputs", AVERAGE_POOLING + ADAPTIVE_AVERAGE, functional=False),
            Term("PReLU, 1 per value", "outputs", ("prelu",), functional=False),
            # A softmax has as many additions as comparisons: one for every value but the first.
            Term("softmax, 3n − 1", "comparisons", ("softmax",), functional=False),
            Term("softmax, 3n − 1", "exponentials", ("softmax",), functional=False),
            Term("softmax, 3n − 1", "divisions", ("softmax",), functional=False),
            Term("nearest upsampling", "outputs", ("upsample",), 1, {"mode": "nearest"}, functional=False),
            Term("linear upsampling, 5 per value", "outputs", ("upsample",), 5, {"mode": "linear"}, functional=False),
            Term(
                "bilinear upsampling, 11 per value",
                "outputs",
                ("upsample",),
                11,
                {"mode": "bilinear"},
                functional=False,
            ),
        ),
        source="thop 0.1.1-2209072238",
        tool_bugs=(
            TRANSPOSED_AS_ORDINARY,
            SHARED_TWICE,
            NO_ATTENTION,
            NO_DERIVED_CLASSES,
            ToolBug("may lose 1 in an adaptive pooling whose windows differ in size", ADAPTIVE_AVERAGE, uneven=True),
        ),
    ),
    Convention(
        name="calflops",
        unit="FLOPs",
        sentence=(
            "2 for each MAC; biases of convolutions, not of dense layers; 2 for each value of a batch norm with "
            "running statistics, 5 of any other norm (1 and 4 without a scale); 1 for each value of an activation "
            "(ReLU6 only as a function) or softmax, and for each that a pooling or an upsampling reads."
        ),
        terms=(
            MACS,
            MACS_AGAIN,
            Term("biases of convolutions", "biases", ("convolution",)),
            Term("batch norm, 2 per value", "outputs", ("batch_norm",)),
            Term("batch norm, 2 per value", "scaled_outputs", ("batch_norm",)),
            Term("batch statistics, 3 per value", "outputs", ("batch_norm",), 3, BATCH_STATISTICS),
            Term("other norms, 5 per value", "outputs", OTHER_NORMS, 4),
            Term("other norms, 5 per value", "scaled_outputs", OTHER_NORMS),
            Term(
                "activations, 1 per value", "outputs", ("relu", "prelu", "elu", "leaky_relu", "silu", "gelu", "softmax")
            ),
            Term("activations, 1 per value", "outputs", ("relu6",), functional=True),
            Term("pooling, 1 per value read", "inputs", POOLING),
            Term("upsampling, 1 per value read", "inputs", ("upsample",)),
        ),
        source="calflops 0.3.2",
        tool_bugs=(
            ToolBug("gets the biases of a transposed convolution wrong, and its MACs if it has groups", TRANSPOSED),
            ToolBug(
                "counts the positions of a single map for an upsampling with a size",
                ("upsample",),
                {"scale_factor": None},
            ),
            SHARED_TWICE,
            ToolBug(CALLS_INSIDE, ("local_response_norm",)),
            NO_ATTENTION_SCORES,
        ),
    ),
    Convention(
        name="torchprofile",
        unit="MACs",
        sentence=(
            "MACs; 1 for each value of a norm with a scale, of a leaky ReLU, of a product of branches, and that an "
            "average pooling or a mean returns; 4 for each value of a bilinear upsampling, 3 of a local response norm."
        ),
        terms=(
            MACS,
            Term("norms, 1 per value", "scaled_outputs", ("batch_norm", *OTHER_NORMS)),
            Term("local response norm, 3 per value", "outputs", ("local_response_norm",), 3),
            Term("average pooling, 1 per value", "outputs", AVERAGE_POOLING + ADAPTIVE_AVERAGE),
            Term("means, 1 per value", "outputs", ("graph_readout",), where={"reduction": "mean"}),
            Term("leaky ReLU, 1 per value", "outputs", ("leaky_relu",), where={"inplace": False}),
            Term("products of branches", "multiplications", ("mul",)),
            Term("bilinear upsampling, 4 per value", "outputs", ("upsample",), 4, {"mode": "bilinear"}),
        ),
        source="torchprofile 0.1.0",
        tool_bugs=(TRANSPOSED_AS_ORDINARY, ToolBug("counts four products of sizes in attention", ("attention",))),
    ),
    Convention(
        name="connections",
        unit="connections",
        sentence="LeNet-5's: every weighted link of every unit, and one for each bias; of the network, not of a batch.",
        terms=(
            MACS,
            Term("further samples of the batch", "macs_of_further_samples", (), -1),
            Term("biases", "biases_of_one_sample", ("convolution", "linear", "gcn_conv", "attention")),
            Term("scales and shifts of norms", "connections", ("normalization",)),
            Term("scales of PReLU", "connections", ("prelu",)),
            Term("windows of subsampling", "connections", ("subsample",)),
            Term("rows of embeddings", "connections", ("embedding",)),
            Term("products of two activations", "unweighted", ("attention",), -1),
        ),
        source="LeCun et al. 1998",
    ),
)

CONVENTIONS = {convention.name: convention for convention in _ALL}
