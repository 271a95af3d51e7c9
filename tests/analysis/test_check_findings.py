"""The findings of `archcalc check` in every shipped spec: facts about the networks, each with its reason.

None is a mistake in a spec. A new finding belongs here only if it holds for the publication, too.
"""

import pytest

import archcalc

SMALL = "a single block or two, on maps that it need not see as a whole"
DENSE = "the publication's first dense layer, which later networks replaced by averaging"
SHORTCUTS = "the shortcuts are 1×1 convolutions of stride 2 in the publication"
DEEP = "a deep network; the field grows beyond its image, and padding fills the rest"

# By spec: the beginning of each finding, and why it is a fact.
FINDINGS: dict[str, dict[str, str]] = {
    "activation_maps": {"R402 no unit sees more than 9×9 of 32×32": SMALL},
    "alexnet": {'P202 a dense layer holds 61.8 % of all parameters: layer "fc6"': DENSE},
    "alexnet_2012": {'P202 a dense layer holds 61.9 % of all parameters: layer "fc6"': DENSE},
    "conv_2x2_on_3x3": {"R402 no unit sees more than 2×2 of 3×3": SMALL},
    "dense_3x3": {},
    "dense_mnist": {},
    "densenet121": {"R401 41 convolutions with kernels larger than 1 see nothing new": DEEP},
    "gcn_classifier": {},
    "gcn_cora": {},
    "googlenet": {"R401 4 convolutions with kernels larger than 1 see nothing new": DEEP},
    "googlenet_2014": {"R401 10 convolutions with kernels larger than 1 see nothing new": DEEP},
    "inception_v3": {"R401 32 convolutions with kernels larger than 1 see nothing new": DEEP},
    "inception_with_1x1": {"R402 no unit sees more than 5×5 of 28×28": SMALL},
    "inception_without_1x1": {"R402 no unit sees more than 5×5 of 28×28": SMALL},
    "lenet5": {},
    "lenet5_1998": {},
    "m5": {
        'W101 1 position is never read at the end of 7981: layer "stage1.pool"': "the sizes of the paper are so",
        'W101 1 position is never read at the end of 1993: layer "stage2.pool"': "the same",
        'W101 2 positions are never read at the end of 122: layer "stage4.pool"': "the same",
    },
    "mnist_cnn": {'P202 a dense layer holds 62.5 % of all parameters: layer "fc"': "the tutorials' network is so"},
    "mobilenet_v1": {'R401 1 convolution with a kernel larger than 1 sees nothing new: layer "conv_dw_13.conv"': DEEP},
    "mobilenet_v2": {"R401 5 convolutions with kernels larger than 1 see nothing new": DEEP},
    "r3d_18": {
        "R401 3 convolutions with kernels larger than 1 see nothing new": DEEP,
        "W102 1 of every 2 positions along the depth is never read": SHORTCUTS,
        "W102 1 of every 2 positions along the height and width is never read": SHORTCUTS,
    },
    "resnet18": {
        "R401 3 convolutions with kernels larger than 1 see nothing new": DEEP,
        "W102 1 of every 2 pixels per axis is never read": SHORTCUTS,
    },
    "resnet34": {
        "R401 16 convolutions with kernels larger than 1 see nothing new": DEEP,
        "W102 1 of every 2 pixels per axis is never read": SHORTCUTS,
    },
    "resnet50": {
        "R401 4 convolutions with kernels larger than 1 see nothing new": DEEP,
        "W102 1 of every 2 pixels per axis is never read": SHORTCUTS,
    },
    "resnet50_feature_extraction": {
        "R401 4 convolutions with kernels larger than 1 see nothing new": DEEP,
        "W102 1 of every 2 pixels per axis is never read": SHORTCUTS,
    },
    "resnet101": {
        "R401 21 convolutions with kernels larger than 1 see nothing new": DEEP,
        "W102 1 of every 2 pixels per axis is never read": SHORTCUTS,
    },
    "resnet152": {
        "R401 36 convolutions with kernels larger than 1 see nothing new": DEEP,
        "W102 1 of every 2 pixels per axis is never read": SHORTCUTS,
    },
    "single_7x7": {"R402 no unit sees more than 7×7 of 56×56": SMALL},
    "squeezenet1_1": {
        'W101 1 pixel per axis is never read at the end of 224×224: layer "conv1"': "conv1 is not padded there"
    },
    "stacked_3x3": {"R402 no unit sees more than 7×7 of 56×56": SMALL},
    "unet": {"R402 no unit sees more than 204×204 of 572×572": "the paper segments any image tile by tile"},
    "vgg11": {'P202 a dense layer holds 77.3 % of all parameters: layer "fc6"': DENSE},
    "vgg13": {'P202 a dense layer holds 77.2 % of all parameters: layer "fc6"': DENSE},
    "vgg16": {'P202 a dense layer holds 74.3 % of all parameters: layer "fc6"': DENSE},
    "vgg19": {'P202 a dense layer holds 71.5 % of all parameters: layer "fc6"': DENSE},
    "xception": {
        'G302 branches with different centres meet, 4 input positions apart: layer "block3.add"': (
            'of 74 positions, "same" pads the end alone for the pooling, and neither end for the 1×1 beside it'
        ),
        "R401 21 convolutions with kernels larger than 1 see nothing new": DEEP,
        'W102 1 of every 2 pixels per axis is never read: layers "block2.shortcut"': SHORTCUTS,
    },
}
VARIANTS: dict[tuple[str, str, object], dict[str, str]] = {
    # The paper's own input; implementations use 227 because of the dropped pixels.
    ("alexnet_2012", "image", (3, 224, 224)): {
        'P202 a dense layer holds 53.0 % of all parameters: layer "fc6"': DENSE,
        'W101 1 pixel per axis is never read at the end of 224×224: layer "conv1"': "the paper's 224 is an error",
        'W101 1 pixel per axis is never read at the end of 54×54: layer "pool1"': "and so on",
        'W101 1 pixel per axis is never read at the end of 26×26: layer "pool2"': "and so on",
        'W101 1 pixel per axis is never read at the end of 12×12: layer "pool5"': "and so on",
    },
    ("vgg11", "batch_norm", True): {
        "P201 2,752 bias parameters before batch_norm can have no effect": "torchvision keeps the biases of the paper",
        'P202 a dense layer holds 77.3 % of all parameters: layer "fc6"': DENSE,
    },
    ("vgg16", "global_average", True): {},
    ("resnet50", "stride_in_first_1x1", True): {
        "R401 5 convolutions with kernels larger than 1 see nothing new": DEEP,
        'W102 1 of every 2 pixels per axis is never read: layers "layer2.0.reduce.conv", '
        '"layer2.0.shortcut.conv" and 4 more': "the reason why later implementations moved the stride",
    },
}


def compare(network: archcalc.Network, expected: dict[str, str]) -> None:
    found = [f"{finding.code} {finding.message}" for finding in network.check(ignored=True)]
    unexpected = [text for text in found if not text.startswith(tuple(expected))]
    missing = [beginning for beginning in expected if not any(text.startswith(beginning) for text in found)]
    assert (unexpected, missing) == ([], [])
    assert len(found) == len(expected)


@pytest.mark.every_spec
@pytest.mark.parametrize("name", archcalc.shipped_specs())
def test_every_shipped_spec(name: str) -> None:
    network = archcalc.load(name)
    compare(network, FINDINGS[name])
    assert not network.check()  # the spec ignores each, with a reason
    assert len(network.graph.ignored) <= len(FINDINGS[name])


@pytest.mark.parametrize(("name", "what", "value"), VARIANTS, ids=str)
def test_variants(name: str, what: str, value: object) -> None:
    changed = {"inputs": {what: value}} if what == "image" else {"variables": {what: value}}
    compare(archcalc.load(name, **changed), VARIANTS[name, what, value])  # type: ignore[arg-type]
