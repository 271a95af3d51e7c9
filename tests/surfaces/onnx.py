"""The ONNX model, run by onnxruntime, compared with the built module."""

import onnxruntime
import torch
from networks import Drawn

import archcalc
from archcalc.pytorch.build import build
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.onnx import to_onnx
from surfaces.runner import loaded

BATCH = 2


def check_onnx(drawn: Drawn) -> None:
    """onnxruntime computes PyTorch's outputs, or the export is refused with a reason."""
    torch.set_num_threads(1)
    network = loaded(drawn)
    torch.manual_seed(0)
    built = build(network).eval()
    try:
        model = to_onnx(network, built)
    except archcalc.UsageError as error:
        if "cannot export" not in str(error):
            raise
        return
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inputs = random_inputs(network, BATCH, "cpu")
    with torch.no_grad():
        wanted = built(*inputs)
    values = [value.to_dense().numpy() for value in inputs]
    names = {item.name for item in session.get_inputs()}
    feed = {name: value for name, value in zip(network.inputs, values, strict=True) if name in names}
    found = tuple(torch.from_numpy(value) for value in session.run(None, feed))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4, equal_nan=True)
