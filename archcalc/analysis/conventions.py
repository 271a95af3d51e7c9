"""Counting conventions as data: what each tool adds to the MACs, and a sentence that says so.

A convention is a sum of terms, of which the first is the plain MACs; `archcalc.analysis.counting` reads them off a
network. Each was read in the source of its tool, and compared with the tool itself on networks and on single layers
(`tests/analysis/test_counting.py`). MACs are always archcalc's own: where a tool gets them wrong, `tool_bugs` say so.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Term(NamedTuple):
    """A quantity of some layers (`archcalc.analysis.counting.QUANTITIES`), times a factor.

    `of` are layer types or families; all layers if it is empty. `where` are values that fields of the layer must have,
    or for which a function is true, `rank` the axes of its output. `functional` asks for layers that are calls of a
    function, or for those that are modules.
    """

    label: str
    quantity: str
    of: tuple[str, ...] = ()
    factor: int = 1
    where: Mapping[str, Any] = {}
    rank: int | None = None
    functional: bool | None = None


class ToolBug(NamedTuple):
    """Where archcalc keeps to the truth: `mistake` is the tool's, with layers that are selected as by a term.

    `shared` asks for layers that use the weights of another, `axes` for outputs of so many axes or more, `uneven` for
    inputs of sizes that are no multiples of the output's.
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
    """How a convention counts what layers give, for the column of that name."""

    title: str
    unit: str
    sentence: str
    terms: tuple[Term, ...]
    tool_bugs: tuple[ToolBug, ...] = ()


OWN_ACTIVATIONS = Activations(
    "Activations",
    "values",
    "The values of all outputs, but for those that are views of an input.",
    (Term("outputs", "new_outputs"),),
)


class Convention(NamedTuple):
    """How something counts operations. `source` is what it reproduces, with the version."""

    name: str
    unit: str
    sentence: str
    terms: tuple[Term, ...]
    source: str | None = None
    tool_bugs: tuple[ToolBug, ...] = ()
    activations: Activations = OWN_ACTIVATIONS

    @property
    def title(self) -> str:
        """What a column or a total of it is called: `MACs`, `fvcore MACs`."""
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
TRANSPOSED_AS_ORDINARY = ToolBug("takes a transposed convolution for an ordinary one", TRANSPOSED)
NO_ATTENTION = ToolBug("passes over attention", ("attention",))
NO_ATTENTION_SCORES = ToolBug("passes over the scores and the weighted sum of fused attention", ("attention",))
CALLS_INSIDE = "counts what functions called inside of the layer do as well"
SHARED_TWICE = ToolBug("counts a shared module again for each other module that has it", shared=True)
NO_DERIVED_CLASSES = ToolBug("passes over classes derived from nn.Conv3d, such as torchvision's in R3D", ("conv3d",))

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
        "Every elementary operation, whatever its kind; a MAC is two.",
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
        tool_bugs=(ToolBug("passes over the scores and the weighted sum of attention fused on a CPU", ("attention",)),),
    ),
    Convention(
        "torchvision",
        "MACs",
        "MACs, and nothing else: what torchvision's tables of weights call GFLOPS, and `_ops` in their metadata.",
        (MACS,),
        "torchvision 0.29",
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
            "an activation, that a pooling reads, or that an upsampling gives. What is a module that calls a function "
            "counts twice, by the module and by the function; a function called alone counts once."
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
                "counts an upsampling by its scale factors, not by the whole sizes that it gives",
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
            "average pooling gives, and that an adaptive one reads; 1 for each value of PReLU; 3n − 1 for a softmax of "
            "n; 1, 5 and 11 for each value of a nearest, linear and bilinear upsampling. Modules alone count, no calls "
            "of functions."
        ),
        terms=(
            MACS,
            Term("norms, 4 per value", "outputs", ("batch_norm", "layer_norm", "instance_norm"), 2),
            Term("norms, 4 per value", "scaled_outputs", ("batch_norm", "layer_norm", "instance_norm"), 2),
            Term("adaptive average pooling, values read", "inputs", ADAPTIVE_AVERAGE, functional=False),
            Term("average pooling, values given", "outputs", AVERAGE_POOLING + ADAPTIVE_AVERAGE, functional=False),
            Term("PReLU, 1 per value", "outputs", ("prelu",), functional=False),
            # As many additions as comparisons: one for all but the first value.
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
            "(ReLU6 as a function alone) or softmax, and for each that a pooling or an upsampling reads."
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
                "counts the positions of a single map, where an upsampling says its size",
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
            "average pooling or a mean gives; 4 for each value of a bilinear upsampling, 3 of a local response norm."
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
        "connections",
        "connections",
        "LeNet-5's: every weighted link of every unit, and one for each bias; of the network, not of a batch.",
        (
            MACS,
            Term("further samples of the batch", "macs_of_further_samples", (), -1),
            Term("biases", "biases_of_one_sample", ("convolution", "linear", "gcn_conv", "attention")),
            Term("scales and shifts of norms", "connections", ("normalization",)),
            Term("scales of PReLU", "connections", ("prelu",)),
            Term("windows of subsampling", "connections", ("subsample",)),
            Term("rows of embeddings", "connections", ("embedding",)),
            Term("products of two activations", "unweighted", ("attention",), -1),
        ),
        "LeCun et al. 1998",
    ),
)

CONVENTIONS = {convention.name: convention for convention in _ALL}
