"""Files that are no spec: each is called what it is, and nothing in it runs."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.devices import find_device
from archcalc.spec.file_formats import HEAD


def zipped(*names: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return written.getvalue()


COMMANDS = ["summary", "explain", "reconcile", "formula", "memory", "diagram", "export", "check", "range", "verify"]
COMMANDS += ["receptive-field", "bench", "roofline", "specs", "watch", "compare", "report"]
LONG = [
    b"\n" * 2**20,
    b"# \n" * 2**18,
    b"PK\x03\x04" + b"\xff" * 2**20,
    b"PK\x03\x04" * 2**18,
    b"backbone:\n" * 2**17,
]
NOTEBOOK = json.dumps({"cells": [{"cell_type": "code", "source": []}], "nbformat": 4}).encode()
SAFETENSORS = (64).to_bytes(8, "little") + b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
FILES: list[tuple[str, bytes, str]] = [
    ("m.onnx", b"\x08\x0e\x12\x07pytorch:3\n\x0c\n\x01x\x12\x01y", "an ONNX model"),
    ("by_content", b"\x08\x0e:3\n\x0c\n\x01x\x12\x01y\xff", "an ONNX model"),
    ("by_name.onnx", b"\xff\xfe\xfd", "an ONNX model"),
    ("net.py", b"import torch\n\n\nclass Net(torch.nn.Module):\n    pass\n", "Python source text"),
    ("net", b"from torch import nn\n\nmodel = nn.Linear(2, 2)\n", "Python source text"),
    ("by_name.py", b"model = make()\n", "Python source text"),
    ("net.ipynb", NOTEBOOK, "a Jupyter notebook"),
    ("m.pt", zipped("m/data.pkl", "m/data/0", "m/version"), "a PyTorch checkpoint"),
    ("m.bin", zipped("archive/data.pkl"), "a PyTorch checkpoint"),
    ("m.pth", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "a PyTorch checkpoint"),
    ("m.pt2", zipped("m/data/weights/weight_0", "m/models/model.json"), "a program that torch.export saved"),
    ("m.pkl", pickle.dumps({"a": 1}), "a Python pickle"),
    ("m.keras", zipped("metadata.json", "config.json", "model.weights.h5"), "a Keras model"),
    ("m.h5", b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file"),
    ("m.json", b'{"class_name": "Sequential", "config": {"layers": []}}', "a Keras model"),
    ("config.json", b'{"architectures": ["BertModel"], "model_type": "bert"}', "a configuration of a Hugging Face"),
    ("other.json", b'{"a": 1}', "JSON"),
    ("list.json", b"[1, 2]", "JSON"),
    ("yolov8x.yaml", b"# a\nnc: 80\nbackbone:\n  - [-1, 1, Conv, [64, 3, 2]]\nhead:\n", "an Ultralytics model in YAML"),
    ("other.yaml", b"---\na: 1\n", "YAML"),
    ("other", b"\n# a comment\n\na: 1\nb:\n  - 1\n", "YAML"),
    ("m.safetensors", SAFETENSORS, "a safetensors file"),
    ("m.gguf", b"GGUF\x03\0\0\0", "a GGUF file"),
    ("saved_model.pb", b"\x08\x01\x12\xd0\xb3\x02\n\x9c\x05", "a TensorFlow SavedModel"),
    ("frozen.pb", b"\n#\n\x05input\x12\x0bPlaceholder*\r", "a TensorFlow graph"),
    ("m.tflite", b"\x20\0\0\0TFL3\0\0", "a TFLite model"),
    ("yolov3.cfg", b"[net]\nbatch=64\n\n[convolutional]\nfilters=32\n\n[convolutional]\nfilters=64\n", "a Darknet"),
    ("deploy.prototxt", b'name: "LeNet"\nlayer {\n  name: "data"\n}\n', "a Caffe network"),
    ("w.npz", zipped("arr_0.npy"), "a file of NumPy arrays"),
    ("a.png", b"\x89PNG\r\n\x1a\n", "an image"),
    ("a.jpg", b"\xff\xd8\xff\xe0", "an image"),
    ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", "an image"),
    ("a.pdf", b"%PDF-1.7\n\xff", "a PDF document"),
    ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an XML or HTML document"),
    ("a.zip", zipped("net.toml"), "an archive"),
    ("a.tar", b"net.toml".ljust(257, b"\0") + b"ustar\0", "an archive"),
    ("a.tar.gz", b"\x1f\x8b\x08\0", "an archive"),
]


def error_of(path: Path) -> archcalc.Diagnostic:
    with pytest.raises(archcalc.SpecError) as caught:
        archcalc.load(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.place.source == str(path)
    return diagnostic


@pytest.mark.parametrize(("name", "content", "kind"), FILES, ids=[name for name, _, _ in FILES])
def test_a_file_is_called_what_it_is(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    error = error_of(tmp_path / name)
    assert error.message.startswith(f"this is {kind}")
    assert error.message.endswith("not a spec")
    assert error.help


@pytest.mark.parametrize("size", [HEAD, 9 * 2**20])
def test_a_large_file_is_known_by_its_first_bytes(tmp_path: Path, size: int) -> None:
    (tmp_path / "m").write_bytes(SAFETENSORS + bytes(size))
    assert error_of(tmp_path / "m").message == "this is a safetensors file, not a spec"


def test_what_pytorch_and_onnx_write(tmp_path: Path) -> None:
    torch, onnx = pytest.importorskip("torch"), pytest.importorskip("onnx")
    torch.save({"w": torch.ones(2)}, tmp_path / "new")
    torch.save({"w": torch.ones(2)}, tmp_path / "old", _use_new_zipfile_serialization=False)
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),)), tmp_path / "exported.pt2")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value("x", 1, [1])], [value("y", 1, [1])]
    )
    onnx.save(onnx.helper.make_model(graph), tmp_path / "plain")
    onnx.save(onnx.helper.make_model(graph, producer_name="pytorch"), tmp_path / "named")
    kinds = {name: error_of(tmp_path / name).message for name in ("new", "old", "exported.pt2", "plain", "named")}
    assert kinds == {
        "new": "this is a PyTorch checkpoint, not a spec",
        "old": "this is a PyTorch checkpoint, not a spec",
        "exported.pt2": "this is a program that torch.export saved, not a spec",
        "plain": "this is an ONNX model, not a spec",
        "named": "this is an ONNX model, not a spec",
    }


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "made"),)

    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Harmful()))
    assert "never does" in (error_of(tmp_path / "m.pkl").reason or "")
    assert not (tmp_path / "made").exists()


def test_a_spec_in_json_is_shown_in_toml(tmp_path: Path) -> None:
    layers = [
        {"type": "conv2d", "out_channels": 6, "kernel_size": 5, "padding": [1, 1], "name": None, "odd key": 'a "b"'}
    ]
    data = {"name": "x", "inputs": {"image": [1, 28, 28]}, "layers": [*layers, {"type": "relu"}]}
    (tmp_path / "s.json").write_text(json.dumps(data))
    error = error_of(tmp_path / "s.json")
    assert error.message == "this is a spec in JSON, not TOML"
    assert error.example == (
        'name = "x"',
        "",
        "[inputs]",
        "image = [1, 28, 28]",
        "",
        "[[layers]]",
        'type = "conv2d"',
        "out_channels = 6",
        "kernel_size = 5",
        "padding = [1, 1]",
        r'"odd key" = "a \"b\""',
    )
    archcalc.loads("\n".join(line for line in error.example if "odd" not in line))
    assert str(error).endswith('\n    "odd key" = "a \\"b\\""')


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", "name: x\ninputs:\n  image: [1, 28, 28]\nlayers:\n  - type: conv2d\n"),
        ("s.json", '{"layers": [' + '{"a": ' * 5000),
        ("s.json", '{"layers": {}, "inputs": 1}'),
    ],
)
def test_a_spec_in_other_words_is_shown_how_one_starts(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    error = error_of(tmp_path / name)
    assert error.message.endswith("not TOML")
    assert archcalc.loads("\n".join(error.example)).name == "LeNet"


def test_a_deep_text_is_no_traceback(tmp_path: Path) -> None:
    deep = "[" * 900 + "]" * 900
    (tmp_path / "s.json").write_text(f'{{"inputs": {{"a": {deep}}}, "layers": [{{"a": {deep}}}]}}')
    assert error_of(tmp_path / "s.json").message == "this is a spec in JSON, not TOML"


@pytest.mark.parametrize(
    "text",
    [
        'name: "x"\n[inputs]\nimage = [1]\n',
        'name = "x"\n[[layers]\n',
        "import torch\n",
        "backbone:\nhead:\n",
    ],
)
def test_a_broken_spec_stays_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "net.toml").write_text(text)
    assert error_of(tmp_path / "net.toml").message.startswith("not TOML")


def test_a_broken_spec_without_a_name_stays_one(program: Callable[..., Any]) -> None:
    assert "not TOML" in program("summary", "-", text='name: "x"\n[inputs]\nimage = [1]\n').stderr


@pytest.mark.parametrize("name", ["resnet50.pth", "resnet50-0676ba61.pth", "ResNet_50.onnx"])
def test_a_file_that_is_named_after_a_shipped_spec(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff")
    assert error_of(tmp_path / name).help == "resnet50 comes with archcalc: archcalc summary resnet50 reads it"


def test_folders(tmp_path: Path) -> None:
    assert error_of(tmp_path).message == "this is a folder, not a spec"
    (tmp_path / "config.json").touch()
    assert error_of(tmp_path).message == "this is the folder of a Hugging Face model, not a spec"
    (tmp_path / "saved_model.pb").touch()
    assert error_of(tmp_path).message == "this is the folder of a TensorFlow SavedModel, not a spec"
    (tmp_path / "a\x1b[2J.toml").touch()
    assert (error_of(tmp_path).help or "").startswith("name a file in it:")
    assert "\x1b" not in str(error_of(tmp_path))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_so(tmp_path: Path, program: Callable[..., Any], command: str) -> None:
    path = tmp_path / "net.onnx"
    path.mkdir() if command == "watch" else path.write_bytes(b"\x08\x0e:3\xff")
    more = {"compare": ["lenet5"], "roofline": ["--device", "a100"], "report": ["-o", str(tmp_path / "r.html")]}
    done = program(command, str(path), *more.get(command, []))
    assert done.returncode == 2
    assert f"{path}" in done.stdout + done.stderr
    assert "not a spec" in done.stdout + done.stderr


def test_a_device_that_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF\x03\0\0\0")
    with pytest.raises(archcalc.SpecError, match="this is a GGUF file, not a device"):
        find_device(str(tmp_path / "a.gguf"))


def test_it_is_imported_for_an_error_alone() -> None:
    code = "import archcalc, sys; archcalc.load('lenet5').to_dict(); print('archcalc.spec.file_formats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    "content",
    [b"\n" * 2**20, b"PK\x03\x04" + b"\xff" * 2**20, b"PK\x03\x04" * 2**18, b"backbone:\n" * 2**17, b"# \n" * 2**18],
)
def test_no_content_takes_long(tmp_path: Path, content: bytes) -> None:
    from time import process_time

    (tmp_path / "m.bin").write_bytes(content)
    start = process_time()
    with pytest.raises(archcalc.SpecError):
        archcalc.load(tmp_path / "m.bin")
    assert process_time() - start < 1
