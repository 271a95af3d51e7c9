"""Other frameworks' names suggest the right layer type or field, and everything in the table exists."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
import torch
from examples import EXAMPLES

import archcalc
import archcalc.spec
from archcalc.layers import LAYER_TYPES
from archcalc.spec.other_names import other_keys, other_type
from archcalc.spec.remedies import key_remedy, type_remedy
from archcalc.spec.schema import ENTRY_KEYS, Block, InputTable, Spec
from archcalc.spec.wanted import alternatives
from archcalc.spelling import plainly

TABLE = tomllib.loads((Path(archcalc.spec.__file__).parent / "other_names.toml").read_text("utf-8"))
FIELDS = {name for layer in LAYER_TYPES.values() for name in layer.__struct_fields__}
WORDS = {
    word
    for layer in (*LAYER_TYPES.values(), InputTable)
    for field in msgspec.structs.fields(layer)
    for part in alternatives(field.type)
    if get_origin(part) is Literal
    for word in get_args(part)
}
SNIPPET = re.compile(r"\{ (?:name|type) = [^{}]*\}")


def names_in(part: str) -> list[str]:
    entries = TABLE[part]
    texts = entries.values() if isinstance(entries, dict) else (entry["names"] for entry in entries)
    return [name for text in texts for name in text.split()]


# the table itself


def test_every_type_in_the_table_exists() -> None:
    named = {name.replace("{d}", str(d)) for name in TABLE["types"] for d in (1, 2, 3)}
    assert named - LAYER_TYPES.keys() == set()
    assert LAYER_TYPES.keys() - named == set()


def test_every_field_in_the_table_exists() -> None:
    known = {*FIELDS, *ENTRY_KEYS, *Spec.__struct_fields__, *Block.__struct_fields__, *InputTable.__struct_fields__}
    assert TABLE["keys"].keys() - known - {"max", "min"} == set()
    assert FIELDS - TABLE["keys"].keys() - {"connections", "threshold"} == set()


def test_every_word_in_the_table_exists() -> None:
    assert TABLE["words"].keys() - WORDS == set()


@pytest.mark.parametrize("part", ["types", "advice", "keys", "key_advice", "words"])
def test_names_are_in_their_normal_form(part: str) -> None:
    names = names_in(part)
    assert [name for name in names if plainly(name) != name or re.search(r"[123]d(?!$)", name)] == []


@pytest.mark.parametrize("part", ["types", "advice", "key_advice"])
def test_names_are_unique(part: str) -> None:
    names = names_in(part)
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_no_name_with_advice_is_a_type() -> None:
    own = {plainly(re.sub(r"[123]d$", "", name)) for name in LAYER_TYPES}
    assert own & {*names_in("advice")} == set()
    assert {*names_in("types")} & {*names_in("advice")} == set()


@pytest.mark.parametrize("entry", TABLE["advice"] + TABLE["key_advice"], ids=lambda entry: entry["names"].split()[0])
def test_advice_is_a_valid_entry(entry: dict[str, Any]) -> None:
    for snippet in SNIPPET.findall(entry["help"].replace("{d}", "2")):
        data = tomllib.loads(f"x = {' '.join(snippet.split())}")["x"]
        layer = LAYER_TYPES[data.pop("type")]
        msgspec.convert({key: value for key, value in data.items() if key not in ENTRY_KEYS}, layer)


# PyTorch's own names


def torch_names() -> dict[str, set[str]]:
    """The layer types by the PyTorch class of their module."""
    found: dict[str, set[str]] = {}
    for example in EXAMPLES:
        name = example.layer.module(example.inputs).name
        if name.startswith("nn."):
            found.setdefault(name, set()).add(example.layer.type)
    return found


@pytest.mark.parametrize(("name", "types"), torch_names().items(), ids=torch_names())
def test_a_pytorch_module_suggests_its_type(name: str, types: set[str]) -> None:
    for written in (name, f"torch.{name}", name.removeprefix("nn."), name.removeprefix("nn.").lower()):
        if written not in LAYER_TYPES:
            named = re.findall(r'"(\w+)"', type_remedy(written, (), None))
            assert named == sorted(types), written


NO_LAYERS = {"Module", "Container", "DataParallel", "ParameterDict", "ParameterList", "ModuleDict"}


def is_layer(name: str) -> bool:
    kind = getattr(torch.nn, name)
    return isinstance(kind, type) and issubclass(kind, torch.nn.Module) and "Loss" not in name and "Lazy" not in name


@pytest.mark.parametrize("name", [name for name in dir(torch.nn) if is_layer(name) and name not in NO_LAYERS])
def test_every_layer_of_pytorch_gets_an_answer(name: str) -> None:
    answer = type_remedy(name, (), 2)
    assert answer != "archcalc layers lists the types"
    assert [written for written in re.findall(r'type = "(\w+)"', answer) if written not in LAYER_TYPES] == []


# names, as they are written

# By type: names from Keras, TensorFlow, ONNX, Caffe, Darknet and PyTorch's functions, colloquial ones, misspelled ones.
TYPES = {
    "linear": "Dense tf.keras.layers.Dense Gemm InnerProduct connected dense fc fc6 fully_connected liner lienar desne",
    "conv1d": "Conv1D",
    "conv2d": "Conv2D keras.layers.Conv2D Convolution convolutional conv conv1 conv2 con2d Convolutoin2D",
    "conv3d": "Conv3D",
    "conv_transpose2d": "Conv2DTranspose ConvTranspose deconv upconv",
    "max_pool2d": "MaxPooling2D layers.MaxPool2D F.max_pool2d maxpool max_pol2d maxpol2d",
    "max_pool1d": "MaxPool1D",
    "avg_pool3d": "AveragePooling3D",
    "cat": "Concatenate Concat Route concat",
    "batch_norm": "BatchNormalization BatchNormalization2d bn batchnorm batchnorm2d Batch-Norm batch_nrom",
    "layer_norm": "LayerNormalization ln",
    "flatten": "Flatten flaten",
    "relu": "ReLU F.relu relu_layer rellu",
    "leaky_relu": "LeakyReLU lrelu",
    "dropout": "SpatialDropout2D dropout2d dropuot",
    "reshape": "Reshape view",
    "permute": "Permute Transpose transpose",
    "mul": "Multiply multiply",
    "add": "Add Eltwise shortcut sum",
    "multi_head_attention": "MultiHeadAttention mha attention",
    "zero_pad": "ZeroPadding2D pad",
    "upsample": "UpSampling2D interpolate",
    "slice": "Cropping2D crop",
    "embedding": "Embedding",
    "group_norm": "GroupNormalization",
    "silu": "tf.nn.swish swish",
    "local_response_norm": "LRN lrn",
    "avg_pool2d": "AveragePool avgpool",
    "chunk": "Split",
    "pixel_shuffle": "DepthToSpace",
    "sigmoid": "logistic",
    "hardswish": "h-swish",
    "gcn_conv": "GCN GraphConv",
    "softmax": "softmx sotfmax",
    "adaptive_avg_pool2d": "adaptive_avgpool",
}


def spread(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(written, meant) for meant, names in table.items() for written in names.split()]


@pytest.mark.parametrize(("written", "meant"), spread(TYPES))
def test_a_name_suggests_a_type(written: str, meant: str) -> None:
    assert type_remedy(written, (), 2) == f'did you mean "{meant}"?'


ADVISED = {
    "adaptive_avg_pool2d": "global_avg_pool2d GlobalAveragePooling2D gap mean",
    "adaptive_max_pool1d": "GlobalMaxPooling1D",
    "conv2d": "DepthwiseConv2D SeparableConv2D patch_embed",
    "mul": "se bmm",
    "conv1d": "lstm LSTM",
    "multi_head_attention": "nn.GRU TransformerEncoderLayer",
    "linear": "matmul",
    "layer_norm": "RMSNorm",
    "softmax": "Softmax2d",
    "chunk": "GLU",
    "silu": "mish",
    "upsample": "UpsamplingBilinear2d",
    "add": "sub",
    "gcn_conv": "GATConv",
}


@pytest.mark.parametrize(("written", "nearest"), spread(ADVISED))
def test_a_name_without_a_type_suggests_the_nearest(written: str, nearest: str) -> None:
    assert f'type = "{nearest}"' in type_remedy(written, (), 2)


KEYS = {
    "conv2d": {
        "out_channels": "filters channels outchannels",
        "kernel_size": "kernel kernel_shape kernalsize size",
        "stride": "strides",
        "padding": "pad",
        "dilation": "rate dilation_rate",
        "bias": "use_bias",
        "groups": "group",
    },
    "linear": {
        "out_features": "units hidden_units num_output features out outfeatures",
        "bias": "use_bias",
    },
    "dropout": {
        "p": "rate prob drop_prob dropout_rate ratio",
    },
    "max_pool2d": {
        "kernel_size": "pool_size size",
        "stride": "strides",
        "ceil_mode": "ceil",
    },
    "multi_head_attention": {
        "num_heads": "heads nhead",
        "dropout": "dropout_rate attn_drop",
    },
    "batch_norm": {
        "eps": "epsilon",
        "momentum": "decay",
        "affine": "scale",
    },
    "leaky_relu": {
        "negative_slope": "alpha slope",
    },
    "embedding": {
        "num_embeddings": "input_dim vocab_size",
        "embedding_dim": "output_dim",
    },
    "upsample": {
        "scale_factor": "factor",
        "mode": "interpolation",
    },
    "softmax": {
        "dim": "axis",
    },
    "cat": {
        "dim": "axis",
    },
    "reshape": {
        "shape": "target_shape",
    },
    "permute": {
        "dims": "perm order",
    },
    "adaptive_avg_pool2d": {
        "output_size": "size output",
    },
    "group_norm": {
        "num_groups": "groups",
        "eps": "epsilon",
    },
    "gelu": {
        "approximate": "approximation",
    },
    "relu": {
        "input": "from",
        "repeat": "times",
        "name": "id",
        "trainable": "requires_grad",
        "weights": "shared",
    },
}


@pytest.mark.parametrize("layer_type", KEYS)
def test_a_key_suggests_a_field(layer_type: str) -> None:
    known = (*LAYER_TYPES[layer_type].__struct_fields__, *ENTRY_KEYS)
    for written, meant in spread(KEYS[layer_type]):
        assert key_remedy(written, known, {"type": layer_type}) == f'did you mean "{meant}"?', written


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("activation", '{ type = "relu" }'),
        ("input_shape", "inputs.image = "),
        ("in_channels", "it follows from the input"),
        ("num_features", "it follows from the input"),
        ("data_format", "channels come first"),
        ("batch_first", "never include the batch"),
        ("kernel_initializer", "changes no size"),
        ("padding_mode", "zeros"),
    ],
)
def test_keys_that_are_left_out(key: str, part: str) -> None:
    assert part in key_remedy(key, (*LAYER_TYPES["conv2d"].__struct_fields__, *ENTRY_KEYS), {})


def test_a_key_whose_field_is_there_already_is_left_out() -> None:
    known = LAYER_TYPES["dropout"].__struct_fields__
    assert key_remedy("rate", known, {"p": 0.5}) == "leave it out: p is there already"


@pytest.mark.parametrize("key", ["inpus", "inptu", "inputt", "inputts"])
def test_a_misspelled_input_suggests_input_and_inputs(key: str) -> None:
    assert key_remedy(key, ENTRY_KEYS, {}) == 'did you mean "input" or "inputs"?'


def test_the_parameters_of_a_block_have_other_names_too() -> None:
    assert key_remedy("filters", ("channels", "kernel", *ENTRY_KEYS), {}) == 'did you mean "channels"?'
    assert key_remedy("kernel_size", ("channels", "kernel", *ENTRY_KEYS), {}) == 'did you mean "kernel"?'


@pytest.mark.parametrize(("rank", "meant"), [(1, "max_pool1d"), (2, "max_pool2d"), (3, "max_pool3d")])
def test_the_inputs_decide_about_dimensions(rank: int, meant: str) -> None:
    shape = [3] + [16] * rank
    with pytest.raises(archcalc.SpecError, match=f'did you mean "{meant}"') as caught:
        archcalc.loads(f'name = "x"\ninputs.x = {shape}\nlayers = [{{ type = "maxpool", kernel_size = 2 }}]')
    assert len(caught.value.diagnostics) == 1


def test_whole_numbers_get_an_axis_where_they_are_embedded() -> None:
    inputs = '{ shape = [9, 5], dtype = "int32" }'
    embedded = '{ type = "embedding", num_embeddings = 4, embedding_dim = 3 }'
    text = f'name = "x"\ninputs.x = {inputs}\nlayers = [{embedded}, {{ type = "conv", kernel_size = 2 }}]'
    with pytest.raises(archcalc.SpecError, match=r'did you mean "conv2d"\?'):
        archcalc.loads(text)


def test_a_misspelled_name_is_not_decided_by_the_inputs() -> None:
    assert type_remedy("convtd", [], 2) == 'did you mean "conv2d" or "conv1d" or "conv3d"?'


def test_a_numbered_name_suggests_a_block() -> None:
    assert type_remedy("Sage1", ["Stage", "Stage1"], 2) == 'did you mean "Stage1"?'
    assert type_remedy("convd1", ["conv bn1"], 1) == 'did you mean "conv1d"?'
    assert type_remedy("fc6", ["stage6"], 1) == 'did you mean "linear"?'


def test_unfamiliar_names_get_no_suggestion() -> None:
    assert type_remedy("zzzzzz", (), None) == "archcalc layers lists the types"
    assert other_type("zzzzzz", None) == []
    assert other_keys("zzzzzz") == []
