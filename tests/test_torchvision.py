"""Shipped specs equal torchvision's networks in every digit: weights, shapes, operations and outputs.

Modules are compared in the order in which torchvision runs them, so a spec has its layers in that order.
"""

from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

import archcalc


class Case(NamedTuple):
    """A spec, and the call that makes torchvision's network.

    `weights` has torchvision's own counts in its metadata. `image` is a size at which comparing outputs is quick, or
    None for the spec's own.
    """

    spec: str
    make: Callable[..., nn.Module]
    weights: Any = None
    image: tuple[int, ...] | None = None
    options: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    training: bool = False

    def __repr__(self) -> str:
        settings = [f"{key}={value}" for key, value in self.variables.items()]
        return " ".join([self.spec, *settings, *["training"] * self.training])

    def network(self, image: tuple[int, ...] | None = None) -> archcalc.Network:
        network = archcalc.load(self.spec, variables=self.variables, training=self.training)
        if image is None:
            return network
        inputs = dict.fromkeys(network.inputs, image)
        return archcalc.load(self.spec, variables=self.variables, inputs=inputs, training=self.training)


QUICKLY = {"init_weights": False}
WITHOUT_HEADS = {"aux_logits": False, **QUICKLY}
SMALL, SMALLER = (3, 97, 97), (3, 49, 49)  # odd, so that paddings and roundings show
VGG = (models.vgg11, models.vgg13, models.vgg16, models.vgg19)
VGG_WEIGHTS = (models.VGG11_Weights, models.VGG13_Weights, models.VGG16_Weights, models.VGG19_Weights)
VGG_BN = (models.vgg11_bn, models.vgg13_bn, models.vgg16_bn, models.vgg19_bn)
VGG_BN_WEIGHTS = (models.VGG11_BN_Weights, models.VGG13_BN_Weights, models.VGG16_BN_Weights, models.VGG19_BN_Weights)

CASES = [
    Case("alexnet", models.alexnet, models.AlexNet_Weights),
    *(Case(make.__name__, make, found, SMALLER, QUICKLY) for make, found in zip(VGG, VGG_WEIGHTS, strict=True)),
    *(
        Case(make.__name__[:-3], make, found, SMALLER, QUICKLY, {"batch_norm": True})
        for make, found in zip(VGG_BN, VGG_BN_WEIGHTS, strict=True)
    ),
    Case("googlenet", models.googlenet, models.GoogLeNet_Weights, options=WITHOUT_HEADS),
    Case("googlenet", models.googlenet, options=QUICKLY, training=True),
    Case("resnet18", models.resnet18, models.ResNet18_Weights, SMALL),
    Case("resnet34", models.resnet34, models.ResNet34_Weights, SMALL),
    Case("resnet50", models.resnet50, models.ResNet50_Weights, SMALL),
    Case("resnet101", models.resnet101, models.ResNet101_Weights, SMALL),
    Case("resnet152", models.resnet152, models.ResNet152_Weights, SMALL),
    Case("resnet50_feature_extraction", models.resnet50, image=SMALL, options={"num_classes": 2}),
    Case("inception_v3", models.inception_v3, models.Inception_V3_Weights, options=WITHOUT_HEADS),
    Case("inception_v3", models.inception_v3, options=QUICKLY, training=True),
    Case("mobilenet_v2", models.mobilenet_v2, models.MobileNet_V2_Weights),
    Case("mobilenet_v2", models.mobilenet_v2, options={"width_mult": 0.5}, variables={"width": 0.5}),
    Case("mobilenet_v2", models.mobilenet_v2, options={"width_mult": 1.4}, variables={"width": 1.4}),
    # At this width, the first block has as many input as output maps, and therefore a shortcut.
    Case("mobilenet_v2", models.mobilenet_v2, options={"width_mult": 0.1}, variables={"width": 0.1}),
    Case("r3d_18", models.video.r3d_18, models.video.R3D_18_Weights, (3, 5, 49, 49)),
    Case("squeezenet1_1", models.squeezenet1_1, models.SqueezeNet1_1_Weights, SMALL),
    Case("densenet121", models.densenet121, models.DenseNet121_Weights, SMALL),
]

each_case = pytest.mark.parametrize("case", CASES, ids=repr)


pytestmark = pytest.mark.usefixtures("one_thread")


def reference(case: Case) -> nn.Module:
    """torchvision's network on the device `meta`, with dropout and batch normalization in eval mode."""
    with torch.device("meta"):
        model = case.make(weights=None, **case.options)
    for module in model.modules():
        module.training = case.training and not isinstance(module, nn.Dropout | nn.modules.batchnorm._BatchNorm)
    return model


class Part(NamedTuple):
    """A layer with weights: the shapes of its parameters and buffers by name, of its output, and its MACs."""

    weights: dict[str, tuple[int, ...]]
    output: tuple[int, ...]
    macs: int


@cache
def parts_of_reference(name: str) -> dict[str, Part]:
    """The layers by torchvision's names, in the order in which they run. Takes a name, since a Case has no hash."""
    case = next(case for case in CASES if repr(case) == name)
    model, (shape,) = reference(case), case.network().inputs.values()
    names = {found: name for name, found in model.named_modules() if found._parameters}
    outputs: dict[str, tuple[int, ...]] = {}
    for found in names:
        found.register_forward_hook(lambda module, _inputs, output: outputs.update({names[module]: output.shape[1:]}))
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *shape, device="meta"))
    flops = {name.partition(".")[2]: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    parts = {}
    for path, output in outputs.items():
        found = model.get_submodule(path)
        tensors = {**found._parameters, **found._buffers}
        weights = {key: tuple(tensor.shape) for key, tensor in tensors.items() if tensor is not None}
        parts[path] = Part(weights, tuple(output), flops.get(path, 0) // 2)
    assert parts.keys() == {*names.values()}
    assert sum(part.macs for part in parts.values()) == counter.get_total_flops() // 2
    return parts


def parts_of_spec(network: archcalc.Network) -> list[Part]:
    parts = []
    for position, (node, row) in enumerate(zip(network.graph.nodes, network.layers, strict=True)):
        inputs, _ = network.context.tensors_at(position)
        weights = {**node.layer.parameters(inputs), **node.layer.buffers(inputs)}
        if weights:
            assert row.macs is not None
            parts.append(Part(weights, row.output_shape, row.macs))
    return parts


@each_case
def test_every_layer_with_weights(case: Case) -> None:
    assert parts_of_spec(case.network()) == [*parts_of_reference(repr(case)).values()]


@each_case
def test_totals(case: Case) -> None:
    model, network = reference(case), case.network()
    totals, frozen = network.totals, case.spec == "resnet50_feature_extraction"
    assert totals.parameters == sum(tensor.numel() for tensor in model.parameters())
    assert totals.buffers == sum(tensor.numel() for tensor in model.buffers())
    assert totals.trainable_parameters == (4_098 if frozen else totals.parameters)
    assert totals.macs == sum(part.macs for part in parts_of_reference(repr(case)).values())


@pytest.mark.parametrize("case", [case for case in CASES if case.weights], ids=repr)
def test_counts_are_those_of_torchvisions_metadata(case: Case) -> None:
    meta, totals = case.weights.DEFAULT.meta, case.network().totals
    assert totals.macs / 1e9 == pytest.approx(meta["_ops"], abs=0.0005)  # it has three decimals
    # The published parameters of Inception v3 include the auxiliary head, which the spec leaves out at inference.
    heads = case.spec == "inception_v3"
    parameters = archcalc.load(case.spec, training=True).totals.parameters if heads else totals.parameters
    assert parameters == meta["num_params"]


def randomize(model: nn.Module) -> None:
    """Random weights that keep the scale of values from layer to layer, with no two equal channels."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.dim() > 1:
            bound = (6 / tensor[0].numel()) ** 0.5  # He et al. 2015
            nn.init.uniform_(tensor, -bound, bound)
        elif tensor.dim() and name.endswith(("weight", "running_var")):
            nn.init.uniform_(tensor, 0.5, 1.5)
        elif tensor.dim():
            nn.init.uniform_(tensor, -0.1, 0.1)


# Quick cases: drawing the weights of a larger module takes seconds.
QUICK = ("mobilenet_v2", "resnet18", "squeezenet1_1")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case.spec not in QUICK), id=repr(case)) for case in CASES]
)
def test_the_same_output(case: Case) -> None:
    torch.manual_seed(0)
    network = case.network(case.image)
    model = reference(case).double().to_empty(device="cpu")
    randomize(model)
    built = archcalc.build(network, device="meta", dtype="float64").train(case.training)
    for module in built.modules():
        module.training = case.training and not isinstance(module, nn.Dropout | nn.modules.batchnorm._BatchNorm)
    weights = [model.get_submodule(path).state_dict().values() for path in parts_of_reference(repr(case))]
    built.load_state_dict(dict(zip(built.state_dict(), chain(*weights), strict=True)), assign=True)
    image = torch.randn(2, *next(iter(network.inputs.values())), dtype=torch.float64)
    with torch.no_grad():
        found, wanted = built(image), model(image)
    pairs = [*zip(found, wanted, strict=True)] if isinstance(wanted, tuple) else [(found, wanted)]
    assert len(pairs) == len(network.outputs)
    for one, other in pairs:
        assert other.isfinite().all()
        assert (other[0] != other[1]).any()  # otherwise the output would not depend on the image
        assert one.shape == other.shape
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9 * other.abs().max().item())
