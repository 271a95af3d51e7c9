"""What a file is that is no spec: by its first bytes, else by the end of its name. Imported only for an error.

Nothing is executed, unpickled or unpacked, and no more than the first bytes are looked at.
"""

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from json import dumps, loads
from typing import Any

from msgspec import Struct

from archcalc.errors import Diagnostic, Place, SpecError, quoted
from archcalc.spelling import plainly

HEAD = 2**16  # bytes that are looked at
MOST_NAMES = 1000  # of a folder's entries
MOST_KEYS = 8  # of a table that is shown as TOML
LONGEST_NAME = 200  # bytes of a name in an archive

BY_HAND = "write the layers down as a spec: archcalc specs resnet18 --copy starts one, archcalc layers lists the types"
WEIGHTS = "it holds weights, and a spec says the layers"


class FileFormat(Struct, frozen=True, gc=False):
    """A kind of file: what messages call it, why archcalc cannot read it, and what can be done."""

    name: str
    reason: str | None
    help: str = BY_HAND
    example: tuple[str, ...] = ()


ONNX = FileFormat("an ONNX model", "archcalc export writes ONNX, and nothing reads it")
PYTHON = FileFormat("Python source text", "archcalc runs no Python; archcalc export writes it from a spec")
NOTEBOOK = FileFormat("a Jupyter notebook", "archcalc runs no Python")
CHECKPOINT = FileFormat("a PyTorch checkpoint", f"{WEIGHTS}; it is never unpickled")
EXPORTED = FileFormat("a program that torch.export saved", "archcalc reads no PyTorch programs")
PICKLE = FileFormat("a Python pickle", "to unpickle a file is to run it, which archcalc never does")
KERAS = FileFormat("a Keras model", "archcalc reads no Keras models")
HDF5 = FileFormat("an HDF5 file, as Keras saves weights and models", WEIGHTS)
HUGGING_FACE = FileFormat(
    "a configuration of a Hugging Face model", "it has a model's sizes, and a spec says the layers"
)
ULTRALYTICS = FileFormat("an Ultralytics model in YAML", "archcalc reads specs in TOML alone")
SAFETENSORS = FileFormat("a safetensors file", WEIGHTS)
GGUF = FileFormat("a GGUF file", WEIGHTS)
TENSORFLOW = FileFormat("a TensorFlow graph", "archcalc reads no TensorFlow graphs")
SAVED_MODEL = FileFormat("a TensorFlow SavedModel", "archcalc reads no TensorFlow graphs")
TFLITE = FileFormat("a TFLite model", "archcalc reads no TFLite models")
DARKNET = FileFormat("a Darknet configuration", "archcalc reads no Darknet configurations")
CAFFE = FileFormat("a Caffe network", "archcalc reads no Caffe networks")
ARRAYS = FileFormat("a file of NumPy arrays", WEIGHTS)
IMAGE = FileFormat("an image", "archcalc draws pictures of specs, and reads no layers from one")
PDF = FileFormat("a PDF document", "archcalc reads no layers from a document")
ARCHIVE = FileFormat("an archive", "archcalc opens no archives", "unpack it, and name the spec in it")
MARKUP = FileFormat("an XML or HTML document", "archcalc reads specs in TOML alone")

SPEC_KEYS = ("layers", "input", "inputs", "blocks", "variables")
FIRST_LINES = [
    'name = "LeNet"',
    "",
    "[inputs]",
    "image = [1, 28, 28]",
    "",
    "[[layers]]",
    'type = "conv2d"',
    "out_channels = 6",
    "kernel_size = 5",
]
AS_TOML = "write it as TOML, which starts like this"
JSON = FileFormat("JSON", "archcalc reads specs in TOML alone")
YAML = FileFormat("YAML", "archcalc reads specs in TOML alone")

# By how a file starts, and where (in bytes) that stands.
_MAGIC: tuple[tuple[bytes, int, FileFormat], ...] = (
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", 0, CHECKPOINT),  # before PyTorch 1.6
    (b"\x89HDF\r\n\x1a\n", 0, HDF5),
    (b"GGUF", 0, GGUF),
    (b"TFL3", 4, TFLITE),
    (b"\x93NUMPY", 0, ARRAYS),
    (b"%PDF-", 0, PDF),
    (b"\x89PNG", 0, IMAGE),
    (b"\xff\xd8\xff", 0, IMAGE),
    (b"GIF8", 0, IMAGE),
    (b"WEBP", 8, IMAGE),
    (b"\x1f\x8b", 0, ARCHIVE),
    (b"BZh", 0, ARCHIVE),
    (b"\xfd7zXZ\0", 0, ARCHIVE),
    (b"7z\xbc\xaf", 0, ARCHIVE),
    (b"\x28\xb5\x2f\xfd", 0, ARCHIVE),
    (b"ustar", 257, ARCHIVE),
)

# By what stands in the first bytes; the first that fits.
_BYTES: tuple[tuple[re.Pattern[bytes], FileFormat], ...] = (
    (re.compile(rb'\A.{6}\0\0\{\s*"', re.DOTALL), SAFETENSORS),  # the length of a header in JSON
    (re.compile(rb"\A\x80[\x02-\x05]"), PICKLE),
    # A protobuf: the version, then the producer's name, the graph or the operator sets.
    (re.compile(rb"\A\x08[\x01-\x40](?:\x12[\x01-\x7f][ -~]|:|B)"), ONNX),
    (re.compile(rb"\A\x08\x01\x12[\x80-\xff]+[\x01-\x7f]\n"), SAVED_MODEL),
    (re.compile(rb"\A\n[\x01-\xff]{1,4}\n[\x01-\x7f][ -~]+\x12[\x01-\x7f][A-Z]\w"), TENSORFLOW),
)

# By the names in a zip archive, whose first ones stand among the first bytes.
_ZIPPED: tuple[tuple[re.Pattern[bytes], FileFormat], ...] = (
    (re.compile(rb"[^/]+/(?:models/model\.json|data/weights/)"), EXPORTED),
    (re.compile(rb"[^/]+/(?:data\.pkl|data/|code/|byteorder|version)"), CHECKPOINT),
    (re.compile(rb"(?:metadata|config)\.json\Z|model\.weights\.h5"), KERAS),
    (re.compile(rb".*\.npy\Z"), ARRAYS),
)

# By what stands in text that may be cut off; the first that fits.
_JSON: tuple[tuple[re.Pattern[str], FileFormat], ...] = (
    (re.compile(r'"(?:nbformat|cell_type)"\s*:'), NOTEBOOK),
    (re.compile(r'"class_name"\s*:'), KERAS),
    (re.compile(r'"(?:model_type|architectures|_class_name)"\s*:'), HUGGING_FACE),
)
_TEXTS: tuple[tuple[re.Pattern[str], FileFormat], ...] = (
    (re.compile(r"\A\s*<(?:\?xml|!doctype|html|svg)", re.IGNORECASE), MARKUP),
    (re.compile(r"^(?:import \w|from [\w.]+ import |class \w+[(:]|(?:async )?def \w+\()", re.MULTILINE), PYTHON),
    (re.compile(r"^\[(?:net|convolutional|yolo)\]$", re.MULTILINE), DARKNET),
    (re.compile(r"^layers? *\{", re.MULTILINE), CAFFE),
    (re.compile(r"^backbone:", re.MULTILINE), ULTRALYTICS),
    (re.compile(r"\A(?:%YAML|---\s)|\A(?:[ \t]*(?:#.*)?\n)*[\w-]+:(?: |$)", re.MULTILINE), YAML),
)

_TOML = re.compile(r"^(?:\[\[?[\w. -]+\]|[\w-]+ *= )", re.MULTILINE)  # a line of a spec that may be broken

_SUFFIXES: dict[str, FileFormat] = {
    ".onnx": ONNX,
    ".py": PYTHON,
    ".ipynb": NOTEBOOK,
    **dict.fromkeys((".pt", ".pth", ".ckpt"), CHECKPOINT),
    ".pt2": EXPORTED,
    **dict.fromkeys((".pkl", ".pickle"), PICKLE),
    ".keras": KERAS,
    **dict.fromkeys((".h5", ".hdf5"), HDF5),
    ".safetensors": SAFETENSORS,
    ".gguf": GGUF,
    ".pb": TENSORFLOW,
    ".tflite": TFLITE,
    ".cfg": DARKNET,
    ".prototxt": CAFFE,
    **dict.fromkeys((".npy", ".npz"), ARRAYS),
    ".json": JSON,
    **dict.fromkeys((".yaml", ".yml"), YAML),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"), IMAGE),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".zst"), ARCHIVE),
    ".pdf": PDF,
    **dict.fromkeys((".svg", ".html", ".xml"), MARKUP),
}


def other_format(content: bytes, source: str, wanted: str, start: str, shipped: Iterable[str]) -> SpecError | None:
    """An error that says what a file is that is not what is `wanted`; None if it is not known.

    `content` is what the file holds, or its beginning; `start` says how the wanted one begins. `shipped` are names of
    shipped specs, of which the file may be one in another form.
    """
    found = _recognise(content[:HEAD], source)
    if found is None:
        return None
    if wanted != "spec":
        return _error(source, f"this is {found.name}, not a {wanted}", help_text=start)
    name = _shipped(source, shipped)
    remedy = f"{name} comes with archcalc: archcalc summary {name} reads it" if name else found.help
    message = f"this is {found.name}, not {'TOML' if found.example else 'a spec'}"
    return _error(source, message, found.reason, remedy, found.example)


def folder_error(path: str, wanted: str, start: str) -> SpecError:
    """An error that says what folder stands in place of what is `wanted`, and names the TOML files in it."""
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in islice(entries, MOST_NAMES))
    except OSError:
        names = []
    specs = [os.path.join(path, name) for name in names if name.endswith(".toml")]
    remedy = f"name a file in it: {' or '.join(map(quoted, specs[:3]))}" if specs else start
    name = "a folder"
    if "saved_model.pb" in names:
        name = "the folder of a TensorFlow SavedModel"
    elif "config.json" in names:
        name = "the folder of a Hugging Face model"
    return _error(path, f"this is {name}, not a {wanted}", help_text=remedy)


def _error(
    source: str, message: str, reason: str | None = None, help_text: str | None = None, example: Iterable[str] = ()
) -> SpecError:
    place = Place(source)
    return SpecError([Diagnostic(message, place, reason=reason, help=help_text, example=tuple(example))])


def _shipped(source: str, shipped: Iterable[str]) -> str | None:
    """The shipped spec that a file is named after: `resnet50-0676ba61.pth` after resnet50."""
    word = plainly(re.split(r"[-.]", os.path.basename(source))[0])
    return next((name for name in shipped if plainly(name) == word), None)


def _recognise(head: bytes, source: str) -> FileFormat | None:
    by_name = _SUFFIXES.get(os.path.splitext(source)[1].lower())
    found = _binary(head) or _text(head, source, by_name)
    return by_name if found is None or (found is ARCHIVE and by_name) else found


def _binary(head: bytes) -> FileFormat | None:
    for magic, offset, found in _MAGIC:
        if head.startswith(magic, offset):
            return found
    if head.startswith(b"PK\x03\x04"):
        names = [*_zipped_names(head)]
        return next((found for pattern, found in _ZIPPED if any(map(pattern.match, names))), ARCHIVE)
    return next((found for pattern, found in _BYTES if pattern.match(head)), None)


def _zipped_names(head: bytes) -> Iterator[bytes]:
    """The names in the local headers of a zip archive."""
    for header in re.finditer(rb"PK\x03\x04.{22}(..)..", head, re.DOTALL):
        yield head[header.end() : header.end() + min(int.from_bytes(header[1], "little"), LONGEST_NAME)]


def _text(head: bytes, source: str, by_name: FileFormat | None) -> FileFormat | None:
    """What kind of text it is. One that is called a spec is only JSON if it starts so: it may be a broken spec."""
    text = head.decode("utf-8-sig", errors="ignore").replace("\r\n", "\n")
    if text.lstrip().startswith("{") or by_name in (JSON, NOTEBOOK):
        return _json(text)
    if source.endswith(".toml"):
        return None
    # What a name says is surer than a line that could stand in many texts.
    if by_name and by_name is not YAML and by_name is not DARKNET:
        return None
    found = next((found for pattern, found in _TEXTS if pattern.search(text)), by_name)
    if found is YAML and not by_name and _TOML.search(text):
        return None
    if found is YAML and re.search(rf"^(?:{'|'.join(SPEC_KEYS)}):", text, re.MULTILINE):
        return _as_toml(YAML, FIRST_LINES)
    return found


def _json(text: str) -> FileFormat:
    if found := next((found for pattern, found in _JSON if pattern.search(text)), None):
        return found
    if not re.search(rf'"(?:{"|".join(SPEC_KEYS)})"\s*:', text):
        return JSON
    return _as_toml(JSON, _first_lines(text) or FIRST_LINES)


def _as_toml(written: FileFormat, lines: Iterable[str]) -> FileFormat:
    return FileFormat(f"a spec in {written.name}", None, AS_TOML, tuple(lines))


def _first_lines(text: str) -> list[str]:
    """The name, the inputs and the first layer of a spec in JSON, as TOML; none if it is something else."""
    try:
        return _spec_lines(loads(text))
    except (ValueError, RecursionError):
        return []


def _spec_lines(data: Any) -> list[str]:
    if not isinstance(data, dict):
        return []
    name, inputs, layers = (data.get(key) for key in ("name", "inputs", "layers"))
    if not (isinstance(inputs, dict) and isinstance(layers, list) and layers and isinstance(layers[0], dict)):
        return []
    first = [f"name = {_value(name)}", ""] if isinstance(name, str) else []
    return [*first, "[inputs]", *_pairs(inputs), "", "[[layers]]", *_pairs(layers[0])]


def _pairs(table: dict[str, Any]) -> Iterator[str]:
    for key, value in islice(table.items(), MOST_KEYS):
        if value is None:
            continue  # TOML has no null
        yield f"{key if re.fullmatch(r'[A-Za-z0-9_-]+', key) else _value(key)} = {_value(value)}"


def _value(value: Any) -> str:
    """A value of JSON in TOML."""
    if isinstance(value, dict):
        return f"{{ {', '.join(_pairs(value))} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return dumps(value, ensure_ascii=False)
