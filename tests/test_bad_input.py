"""Any wrong input ends with an exit code and a message with its place, never with a traceback."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from interrupts import finished, listening

from archcalc.errors import SHOWN

PROJECT = Path(__file__).parent.parent
ERRORS = Path(__file__).parent / "golden" / "errors"
HEAD = 'name = "small"\ninputs.image = [3, 32, 32]\n'
RELU = '[[layers]]\ntype = "relu"\n'
COMMANDS = [["summary"], ["explain"], ["check"]]


class Result(NamedTuple):
    code: int | str | None
    output: str
    errors: str


Run = Callable[..., Result]


@pytest.fixture
def run(program: Callable[..., Result]) -> Run:
    """Run the command line in this process."""
    return lambda *arguments: Result(*program(*arguments))


@pytest.fixture
def summary(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Summarize a spec that is called `spec.toml`."""

    def summarize(content: str | bytes, *arguments: str) -> Result:
        monkeypatch.chdir(tmp_path)
        Path("spec.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
        return run("summary", "spec.toml", *arguments)

    return summarize


def check_refused(result: Result, *parts: str) -> None:
    assert result.code == 2, result
    assert "Traceback" not in result.errors
    assert result.errors.replace("\n", "").isprintable()
    for part in parts:
        assert part in result.errors


def process(*arguments: str, seconds: int = 30, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a new process, with limits of one gibibyte of memory and of CPU seconds."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    command = [sys.executable, "-m", "archcalc", *arguments]
    defaults = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.run(command, check=False, preexec_fn=limit, **{**defaults, **options})  # type: ignore[call-overload]


# full messages


@pytest.mark.parametrize("spec", sorted(ERRORS.glob("*.toml")), ids=lambda path: path.stem)
def test_messages(spec: Path, run: Run, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ERRORS)
    result = run("summary", spec.name)
    check_refused(result)
    golden(Path("errors") / f"{spec.stem}.txt", result.errors)


@pytest.mark.parametrize("spec", sorted(ERRORS.glob("*.toml")), ids=lambda path: path.stem)
def test_messages_are_in_the_order_of_the_file(spec: Path, run: Run) -> None:
    places = [line for line in run("summary", str(spec)).errors.split("\n") if line.startswith("  ┌ ")]
    lines = [int(number) if number.isdecimal() else 0 for number in (place.split(":")[-1] for place in places)]
    assert lines == sorted(lines)
    assert lines


def test_layers_before_a_shape_error_are_printed(run: Run) -> None:
    result = run("summary", str(ERRORS / "size.toml"))
    assert "S2" in result.output
    assert "C3" not in result.output


# one test for each kind


@pytest.mark.parametrize(
    ("text", "line", "parts"),
    [
        ("a = ", 1, ["not TOML: Invalid value"]),
        (f"{HEAD}layers = 3", 3, ["layers = 3: expected a list of tables that is not empty, got a whole number"]),
        (f"{HEAD}layers = [3]", 3, ["layers has 3 in it: expected tables, got a whole number"]),
        (f"{HEAD}[layers]\ntype = 'relu'", 3, ["layers = a table: expected a list of tables that is not empty"]),
        (f"{HEAD}{RELU}[[layers]]\ntype = 'rellu'", 6, ['"rellu"', 'did you mean "relu"?']),
        (f"{HEAD}{RELU}threshold = 1", 5, ['unknown key "threshold"', "help: known: "]),
        (f"{HEAD}{RELU}[extra]\nx = 1", 5, ['unknown key "extra"']),
        (f"{HEAD}[[layers]]\nname = 'a'", 3, ["type is missing", "help: add type = …"]),
        (f"{HEAD}{RELU}name = 7", 5, ["name = 7: expected text of 1 to 200 letters", 'help: write name = "7"']),
        (f"{HEAD}{RELU}input = 'relu'", 3, ['in a cycle: "relu" → "relu"', "help: change one of their inputs"]),
        (f"{HEAD}{RELU}input = 'imgae'", 5, ['"imgae"', 'help: did you mean "image"?']),
        (f"{HEAD}{RELU}name = 'a'\n{RELU}name = 'a'", 8, ['another entry is called "a" already', "help: give every"]),
        (f"{HEAD}[[layers]]\ntype = 'b'\n[blocks.b]\nlayers = [{{ type = 'b' }}]", 5, ['block "b" uses itself']),
        (f"{HEAD}{RELU}[variables]\nx = 'len(y)'", 6, ['"len(y)" is not arithmetic, and is not evaluated', "help: "]),
        (f"{HEAD}[[layers]]\ntype = 'max_pool2d'\nkernel_size = 33", 5, ["33 does not fit", "use kernel_size ≤ 32"]),
        (f"{HEAD}[[layers]]\ntype = 'conv1d'\nout_channels = 1\nkernel_size = 1", 3, ["channels × length, not 3 axes"]),
        ("name = 'x'\ninputs.image = [1, 3, 32, 32]\n[[layers]]\ntype = 'max_pool2d'\nkernel_size = 2", 3,
         ["not 4 axes", "shapes never include the batch"]),
        (f"{HEAD}{RELU}repeat = 1_000_000_000", 5, ["expands to more than 200,000 layers", "help: repeat fewer times"]),
        (f"{HEAD}{RELU}repeat = '10 ** 9'", 5, ["repeat = 1000000000 expands to more than 200,000 layers"]),
        (f"{HEAD}{RELU}repeat = 0x{'f' * 5000}", 5, ["repeat is a number of 20,000 bits"]),
        (f"{HEAD}{RELU}repeat = {'9' * 5000}", 5, ["a number of 5,000 digits"]),
        (f"{HEAD}{RELU}repeat = {'9' * 4000}", 5, ["repeat is a number of 13,288 bits, larger than any size"]),
        (f"{HEAD}{RELU}when = {'[' * 300}{']' * 300}", 5, ["nested too deeply"]),
        (f"{HEAD}{RELU}{'.'.join('a' * 300)} = 1", 5, ["nested too deeply"]),
        (f"{HEAD}{RELU}name = 'a\\u001b[31m'", 5, ["not TOML"]),
    ],
    ids=lambda value: value[45:75].encode("unicode_escape").decode() if isinstance(value, str) else None,
)  # fmt: skip
def test_a_wrong_spec(text: str, line: int, parts: list[str], summary: Run) -> None:
    text = text.replace("'a\\u001b[31m'", "'a\x1b[31m'")
    check_refused(summary(text), f"  ┌ spec.toml:{line}\n", *parts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the spec is empty"),
        (b"\x00" * 100, "not TOML"),
        (b"\x89PNG\r\n\x1a\n", "this is an image, not a spec"),
        (b"a = " + b"[" * 200_000, "nested too deeply"),
        ('name = "x"'.encode("utf-16"), "not a text file"),
    ],
    ids=["empty", "zeros", "binary", "deep", "utf-16"],
)
def test_a_file_that_is_no_spec(content: bytes, message: str, summary: Run) -> None:
    result = summary(content)
    check_refused(result, message, "┌ spec.toml")
    assert result.output == ""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/", "this is a folder, not a spec"),
        ("missing.toml", 'cannot read "missing.toml": no such file or directory'),
        ("missing/spec.toml", "no such file or directory"),
        ("lenet", 'neither a file nor a shipped spec is called "lenet"'),
        ("/dev/zero", 'cannot read "/dev/zero": not a file'),
        ("", "neither a file nor a shipped spec is called"),
        ("x" * 1000 + ".toml", "name too long"),
        ("\x1b[31m\udcff.toml", "no such file or directory"),
        ("<script>.toml", 'cannot read "<script>.toml"'),
    ],
)
def test_a_path_that_is_no_spec(command: list[str], path: str, message: str, run: Run) -> None:
    result = run(*command, path)
    # The findings of check are on stdout.
    check_refused(result._replace(errors=result.output + result.errors), message)


def test_a_file_that_cannot_be_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    check_refused(run("summary", "private.toml"), 'cannot read "private.toml": permission denied')


def test_standard_input() -> None:
    result = process("summary", "-", stdin=None, input=HEAD + RELU)
    assert (result.returncode, result.stderr) == (0, "")
    result = process("summary", "-")
    assert (result.returncode, result.stderr.split("\n")[0]) == (2, "error: the spec is empty")


def test_no_standard_input() -> None:
    command = f"{sys.executable} -m archcalc summary - <&-"
    result = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr.split("\n")[0]) == (2, "error: the spec is empty")


# hostile text

STRANGE = {
    "escape": ("\\u001b[31m", "\x1b"),
    "bell": ("\\u0007", "\x07"),
    "control": ("\\u009b31m", "\x9b"),
    "backwards": ("\\u202e", "\u202e"),
    "newline": ("\\nerror: fake", "\nerror: fake"),
    "return": ("\\rfake", "\r"),
    "zero": ("\\u0000", "\0"),
}


@pytest.mark.parametrize(("written", "letter"), STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize(
    "spec",
    [
        'name = "X"\nsource = "X"\ninputs."X" = [3]\nlayers = [{ name = "X ", type = "relu" }]',
        HEAD + 'layers = [{ name = "X", type = "X" }]',
        HEAD + 'layers = [{ type = "relu", "X" = "X" }]',
        HEAD + 'layers = [{ type = "relu", input = "X" }]',
        HEAD + 'layers = [{ type = "dropout", p = "X" }]',
        HEAD + 'layers = [{ type = "X" }]\nblocks."X".layers = [{ type = "X" }]',
        HEAD + 'layers = [{ type = "X" }]\n[blocks."X"]\nparameters = ["X"]\nlayers = [{ type = "relu" }]',
        HEAD + 'layers = [{ type = "X" }]\n[blocks."X"]\ninputs = ["X", "Y"]\nlayers = [{ type = "relu" }]',
        HEAD + 'layers = [{ name = "X", type = "relu" }, { name = "X", type = "relu" }]',
        HEAD + 'layers = [{ name = "X", type = "relu" }, { type = "max_pool2d", kernel_size = 99 }]',
    ],
    ids=["names", "type", "key", "edge", "expression", "recursion", "parameter", "inputs", "duplicates", "sizes"],
)  # fmt: skip
def test_control_characters_of_names_do_not_reach_the_terminal(
    spec: str, written: str, letter: str, summary: Run
) -> None:
    result = summary(spec.replace("X", written))
    for text in (result.output, result.errors):
        assert letter not in text
        assert text.replace("\n", "").isprintable()
    assert "Traceback" not in result.errors


@pytest.mark.parametrize(
    "name", ["🦊", "<script>alert(1)</script>", "größe", "a b", "層", "|", "`x`", "--help", "a" * 200]
)
def test_names_of_any_letters(name: str, summary: Run) -> None:
    result = summary(f"{HEAD}{RELU}name = '{name}'")
    assert (result.code, result.errors) == (0, "")
    assert name in result.output


def test_a_very_long_name(summary: Run) -> None:
    check_refused(summary(f"{HEAD}{RELU}name = '{'a' * 201}'"), "expected text of 1 to 200 letters")


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbf" + (HEAD + RELU).encode(), (HEAD + RELU).replace("\n", "\r\n").encode()]
)
def test_byte_order_mark_and_carriage_returns(content: bytes, summary: Run) -> None:
    assert summary(content).code == 0
    check_refused(summary(content + b"x = 1"), "┌ spec.toml:5\n  │ x = 1\n")


def test_a_terminal_that_knows_no_unicode() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    result = process("summary", "lenet5", env=environment)
    assert (result.returncode, result.stderr) == (0, "")
    result = process("summary", "lenet5", "--set", "x=1", env=environment)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


# numbers larger than any machine's


def test_integers_beyond_64_bits_are_exact(summary: Run) -> None:
    spec = f"{HEAD}[[layers]]\ntype = 'conv2d'\nout_channels = {10**30}\nkernel_size = 1"
    result = summary(spec)
    assert result.code == 0
    assert f"{(3 + 1) * 10**30:,}" in result.output
    assert f"{3 * 10**30 * 32 * 32:,}" in result.output


@pytest.mark.parametrize("field", ["kernel_size", "stride", "padding", "dilation", "groups", "out_channels"])
@pytest.mark.parametrize("number", [2**31, 2**63, 2**64, 2**255])
def test_huge_numbers_in_any_field(field: str, number: int, summary: Run) -> None:
    fields = {"out_channels": 3, "kernel_size": 1, field: number}
    text = "\n".join(f"{key} = {value}" for key, value in fields.items())
    result = summary(f"{HEAD}[[layers]]\ntype = 'conv2d'\n{text}")
    assert result.code in (0, 2)
    assert "Traceback" not in result.errors


# bounded time and memory

LONG = "n" * 190
STAGES = """
[blocks.a]
layers = [{ type = "b", repeat = 1000 }]
[blocks.b]
layers = [{ type = "c", repeat = 1000 }]
[blocks.c]
layers = [{ type = "relu", repeat = 1000 }]
"""
EXPLOSIONS = {
    "repeat": f"{HEAD}{RELU}repeat = 1_000_000_000",
    "nested repeats": f"{HEAD}layers = [{{ type = 'a', repeat = 1000 }}]\n{STAGES}",
    "repeats of nothing": f"{HEAD}layers = [{{ type = 'a', repeat = 1000 }}]\n{STAGES.replace('relu', 'x')}",
    "repeats of no copies": f"{HEAD}layers = [{{ type = 'a', repeat = 190_000 }}]\n[blocks.a]\nlayers = [\n"
    + "{ type = 'relu', repeat = 0 },\n" * 500
    + "]",
    "blocks that double": f"{HEAD}layers = [{{ type = 'b49' }}]\nblocks.b0.layers = [{{ type = 'relu' }}]\n"
    + "".join(f"blocks.b{i}.layers = [{{ type = 'b{i - 1}' }}, {{ type = 'b{i - 1}' }}]\n" for i in range(1, 50)),
    "lists that double": f"{HEAD}layers = [{{ type = 'relu' }}]\n[variables]\na0 = [1, 1]\n"
    + "".join(f"a{i} = '[a{i - 1}, a{i - 1}]'\n" for i in range(1, 60)),
    "lists of lists": f"{HEAD}layers = [{{ type = 'relu' }}]\n[variables]\na = {[1] * 9000}\nb = {['a'] * 9000}\n",
    "powers": f"{HEAD}{RELU}[variables]\na = '9 ** 9 ** 9 ** 9'",
    "digits to round to": f"{HEAD}{RELU}[variables]\na = 'round(5, -10 ** 9)'",
    "problems": f"{HEAD}layers = [\n" + "{ type = 'avg_pool2d', kernel_size = 'b', input = 'c' },\n" * 20_000 + "]",
    "types": f"{HEAD}layers = [\n" + "".join(f"{{ type = 'conv{i}x' }},\n" for i in range(30_000)) + "]",
    "fields": f"{HEAD}layers = [\n" + "".join(f"{{ type = 'relu', inplac{i} = 3 }},\n" for i in range(30_000)) + "]",
    "dotted key": f"{HEAD}{RELU}{'.'.join('a' * 5000)} = 1",
    "array": f"{HEAD}{RELU}repeat = {'[' * 10**6}",
    "edges": f"{HEAD}[[layers]]\ntype = 'add'\nrepeat = 5000\ninputs = {['image'] * 20_000}",
    "inputs of blocks": f"{HEAD}[[layers]]\ntype = 'b'\nrepeat = 20_000\ninputs = {['image'] * 5000}\n"
     f"[blocks.b]\ninputs = {[f'i{i}' for i in range(5000)]}\nlayers = [{{ type = 'relu', input = 'i0' }}]",
    "names": f"{HEAD}layers = [{{ name = '{LONG}', type = 'b0' }}]\n"
    + "".join(f"blocks.b{i}.layers = [{{ name = '{LONG}', type = 'b{i + 1}' }}]\n" for i in range(48))
    + f"blocks.b48.layers = [{{ name = '{LONG}', type = 'relu', repeat = 25_000 }}]",
    "variables of blocks": f"{HEAD}layers = [{{ type = 'b', a = 'index', repeat = 100_000 }}]\n"
     "[blocks.b]\nparameters = ['a']\nlayers = [{ type = 'relu' }]\n[variables]\n"
    + "".join(f"v{i} = {i}\n" for i in range(1000)),
    "values of fields": f"{HEAD}[[layers]]\ntype = 'reshape'\nshape = {['index'] * 1000}\nrepeat = 200_000",
    "long expressions": f"{HEAD}{RELU}repeat = 200_000\nwhen = '{'index + ' * 50}1 > 0'",
    "sizes": f"{HEAD}[[layers]]\ntype = 'adaptive_avg_pool2d'\noutput_size = {10**30}",
}  # fmt: skip


# The largest inputs that are read, which take seconds.
LONG_ONES = {"fields", "inputs of blocks", "long expressions", "problems", "types", "values of fields"}


@pytest.mark.parametrize(
    "text",
    [pytest.param(text, marks=[pytest.mark.slow] * (name in LONG_ONES), id=name) for name, text in EXPLOSIONS.items()],
)
def test_time_and_memory_are_bounded(text: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text(text, "utf-8")
    result = process("summary", str(file), timeout=60)
    assert result.returncode in (0, 2), result.stderr[-2000:]
    assert "Traceback" not in result.stderr
    assert len(result.stderr) < 100_000


MANY_ERRORS = {
    "keys of a layer": ("{ type = 'relu', %s },", "k{i} = 1, "),
    "keys of layers": ("%s", "{{ type = 'relu', k{i} = 1 }},"),
    "arguments of blocks": ("%s", "{{ type = 'b', k{i} = 1 }},"),
    "types": ("%s", "{{ type = 'relu{i}x' }},"),
    "types and edges": ("%s", "{{ type = 'rel{i}', input = 'relu_{i}' }},"),
    "edges": ("%s", "{{ type = 'relu', input = 'r{i}' }},"),
    "variables": ("%s", "{{ type = 'linear', out_features = 'v{i}' }},"),
    "variables in formulas": ("%s", "{{ type = 'linear', out_features = '2 * v{i}' }},"),
    "variables in a list": ("{ type = 'reshape', shape = [%s] },", "'v{i}', "),
    "values": ("%s", "{{ type = 'linear', out_features = -{i} }},"),
}


@pytest.mark.parametrize("count", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("whole", "part"), MANY_ERRORS.values(), ids=MANY_ERRORS)
def test_many_errors_take_little_time(whole: str, part: str, count: int, tmp_path: Path) -> None:
    parts = "\n".join(part.format(i=number) for number in range(1, count + 1))
    if not whole.startswith("%"):
        parts = parts.replace("\n", "").removesuffix(", ")  # inline tables stay on one line
    file = tmp_path / "spec.toml"
    block = "[blocks.b]\nparameters = ['q']\nlayers = [{ type = 'relu' }]\n"
    file.write_text(f"{HEAD}layers = [\n{whole % parts}\n]\n{block}", "utf-8")
    result = process("summary", str(file), seconds=20)
    assert result.returncode == 2, result.stderr[-2000:]
    assert result.stderr.count("error: ") == SHOWN
    assert re.search(r"\n… and [0-9,]+ more\n", result.stderr)


def test_the_search_for_errors_ends(summary: Run) -> None:
    many = HEAD + "layers = [\n" + "".join(f"{{ type = 'relu', k{i} = 1 }},\n" for i in range(5_000)) + "]"
    check_refused(summary(many), "error: more than 1,000 errors: the search for others has ended", "┌ spec.toml\n")


def test_an_error_of_many_copies_counts_once(summary: Run) -> None:
    text = f"{HEAD}layers = [{{ type = 'linear', out_features = '0 * index', repeat = 5_000 }}]"
    result = summary(text)
    check_refused(result, "out_features = ", "┌ spec.toml:3")
    assert result.errors.count("error: ") == 1


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    with path.open("wb") as file:
        file.truncate(10**12)  # without a byte on the disk
    assert "larger than 8 MiB, which is no spec" in process("summary", str(path)).stderr
    assert "larger than 1 MiB, which is no device" in process("roofline", "lenet5", "--device", str(path)).stderr


@pytest.mark.parametrize(
    "text",
    [
        "a." * 30_000 + "b = 1",
        "[" + "a." * 30_000 + "b]",
        '"a" . ' * 30_000 + "b = 1",
        "x = { " + "'a'." * 10_000 + "b=1 }",
    ],
    ids=["bare", "header", "quoted", "inline"],
)
def test_limits_come_before_parsing(text: str, summary: Run) -> None:
    check_refused(summary(f"{HEAD}{text}"), "nested too deeply", "┌ spec.toml:3")


@pytest.mark.parametrize("unit", ["[], ", "{}, ", "1, "])
def test_a_spec_of_too_many_values(unit: str, summary: Run) -> None:
    check_refused(summary(f"{HEAD}x = [{unit * 1_000_000}]"), "more than 1,000,000 keys, lists and values")


COMMANDS_OF_FILES = {
    "spec": ["summary", "FILE"],
    "device": ["roofline", "lenet5", "--device", "FILE"],
    "times": ["report", "lenet5", "-o", "page.html", "--bench", "FILE"],
    "image": ["receptive-field", "lenet5", "-o", "field.svg", "--image", "FILE"],
}


@pytest.mark.parametrize("arguments", COMMANDS_OF_FILES.values(), ids=COMMANDS_OF_FILES)
def test_an_endless_file(arguments: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: str) -> Result:
        return run(*[part.replace("FILE", path) for part in arguments])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("archcalc.reading.SECONDS", 0.2)
    os.mkfifo("pipe.toml")
    check_refused(read("./pipe.toml"), "a pipe that nobody closes within")
    with open("pipe.toml", "r+b", buffering=0) as writer:  # which writes a little, and never closes it
        writer.write(b"name")
        check_refused(read("./pipe.toml"), "a pipe that nobody closes within")
    for path in ("/dev/zero", "/dev/null", "/dev/full"):
        check_refused(read(path), "not a file")
    with socket.socket(socket.AF_UNIX) as listening_socket:
        listening_socket.bind("socket.toml")
        check_refused(read("./socket.toml"), "cannot read")
    is_toml = arguments in (COMMANDS_OF_FILES["spec"], COMMANDS_OF_FILES["device"])
    check_refused(read("./"), "this is a folder" if is_toml else "is a directory")
    assert sorted(os.listdir()) == ["pipe.toml", "socket.toml"]


def test_a_pipe_that_ends_is_read() -> None:
    command = f"{sys.executable} -m archcalc summary <(sleep 0.3; cat {PROJECT / 'specs' / 'lenet5.toml'})"
    result = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "61,706" in result.stdout


# the command line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "width"], '"width" is not of the form NAME=VALUE'),
        (["--set", "=3"], "is not of the form NAME=VALUE"),
        (["--set", "width="], "is not of the form NAME=VALUE"),
        (["--set", "width=wide"], 'no variable is called "wide"'),
        (["--set", "width=__import__('os')"], "is not arithmetic, and is not evaluated"),
        (["--set", "width=9**9**9"], "is larger than any size"),
        (["--set", "width=1e999"], "inf is not a finite number"),
        (["--set", "width=" + "9" * 600], "more than 500 characters"),
        (["--set", "width=1"], 'no variable is called "width"'),
        (["--input", "image"], "is not of the form NAME=SIZES"),
        (["--input", "image="], "is not of the form NAME=SIZES"),
        (["--input", "image=1x32xx32"], "is no shape help: write sizes of 1 or more as 3x224x224"),
        (["--input", "image=1x-3x32"], "is no shape"),
        (["--input", "image=0x32x32"], "is no shape"),
        (["--input", "image=1.5x32"], "is no shape"),
        (["--input", "image=" + "9" * 100], "is no shape"),
        (["--input", "imgae=1x32x32"], 'no input is called "imgae"'),
        (["--input", "image=1x2x2"], "does not fit"),
        (["--input", "image=32x32"], "conv2d takes channels × height × width, not 2 axes"),
        (["--batch", "0"], 'cannot be "0" help: write a whole number, 1 or more'),
        (["--batch", "x"], 'cannot be "x" help: write a whole number, 1 or more'),
        (["--depth", "0"], 'cannot be "0" help: write a whole number, 1 or more'),
        (["--columns", "nmae"], 'no column is called "nmae" help: did you mean "name"?'),
        (["--columns", ""], "no column is called"),
        (["--format", "pdf"], '--format: "pdf" is not a choice help: choose from table, plain'),
        (["--nonsense"], 'no option is called "--nonsense"'),
        (["more"], "unexpected extra argument"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_nonsense_on_the_command_line(arguments: list[str], message: str, run: Run) -> None:
    result = run("summary", "lenet5", *arguments)
    assert (result.code, result.output.count("Traceback"), result.errors.count("Traceback")) == (2, 0, 0)
    assert message in " ".join(result.errors.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sumary", "lenet5"], 'did you mean "summary"?'),
        (["summary"], "SPEC is missing"),
        (["explain", "lenet5", "C9"], 'no layer is called "C9"'),
        (["explain", "lenet5", "\x1b[31m"], 'no layer is called "�[31m"'),
        (["layers", "conv9d"], 'no layer type is called "conv9d"'),
    ],
)
def test_commands_that_fail(arguments: list[str], message: str, run: Run) -> None:
    check_refused(run(*arguments), message)


# how a process ends


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)


def test_a_closed_pipe_is_quiet_and_no_failed_check() -> None:
    # More than the buffer of a pipe, so that the program notices that it is closed.
    layers = ", ".join(['{ type = "relu" }'] * 5_000)
    spec = f'name = "long"\\ninputs.x = [3]\\nlayers = [{layers}]'
    program = f"{sys.executable} -m archcalc summary -"
    result = shell(f"printf '{spec}' | ({program}; echo $? >&2) | head -n 1")
    assert (result.stdout, result.stderr) == ("long\n", "0\n")


def test_a_full_disk_is_an_error() -> None:
    result = shell(f"{sys.executable} -m archcalc summary lenet5 > /dev/full")
    assert (result.returncode, result.stderr) == (2, "error: cannot write the output: no space left on device\n")


def test_without_an_output_nothing_is_written() -> None:
    result = shell(f"{sys.executable} -m archcalc summary lenet5 >&-")
    assert (result.returncode, result.stderr) == (0, "")


# sizes that grow from layer to layer

GROWING = {
    "values": ('type = "upsample"\nscale_factor = "2 ** 62"', "has more than 2^512 values"),
    "reshape": (f'type = "reshape"\nshape = {[1] * 65}', "has 65 axes, more than the 64"),
}


@pytest.mark.parametrize("kind", GROWING)
def test_sizes_that_grow_through_a_chain(kind: str, summary: Run) -> None:
    layer, message = GROWING[kind]
    head = 'name = "x"\ninputs.i = [1, 1, 1]\n'
    check_refused(summary(f"{head}[[layers]]\n{layer}\nrepeat = 500"), message)


def test_a_jump_beyond_any_input_is_unknown(summary: Run) -> None:
    layer = '[[layers]]\ntype = "conv2d"\nout_channels = 1\nkernel_size = 1\nstride = "2 ** 62"\nrepeat = 500'
    result = summary(f'name = "x"\ninputs.i = [1, 1, 1]\n{layer}')
    assert result.code == 0
    assert "? the strides together are larger than any input: conv2d.4, " in " ".join(result.output.split())


def test_an_interrupt_is_quiet() -> None:
    command = [sys.executable, "-m", "archcalc", "summary", "-"]
    with listening(command, **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)) as running:
        time.sleep(1.0)  # it waits for a spec
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=20)
    assert (running.returncode, output, errors) == (130, b"", b"")


@pytest.mark.parametrize("module", ["click", "msgspec", "archcalc.network", "archcalc.cli.range"])
def test_an_interrupt_while_python_imports_is_quiet(module: str) -> None:
    script = f"""
import os, signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["archcalc", "range", "lenet5", "--format", "json"]
from archcalc.__main__ import main
main()
"""
    assert finished([sys.executable, "-c", script]) == (130, b"", b"")


def test_an_ignored_interrupt_stays_so() -> None:
    script = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from archcalc.__main__ import main
os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["archcalc", "summary", "lenet5"]
main()
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")


def test_an_interrupted_file_is_not_left_behind(tmp_path: Path) -> None:
    script = f"""
import os, signal, sys
from archcalc.__main__ import main
os.link = lambda *_: os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["archcalc", "export", "lenet5", "-o", {str(tmp_path / "net.py")!r}]
main()
"""
    assert finished([sys.executable, "-c", script]) == (130, b"", b"")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["diagram", "lenet5", "-o"],
        ["export", "lenet5", "-o"],
        ["report", "lenet5", "-o"],
        ["roofline", "lenet5", "--device", "a100", "-o"],
        ["bench", "lenet5", "-o"],
        ["bench", "lenet5", "--write-device"],
        ["receptive-field", "lenet5", "-o"],
        ["receptive-field", "lenet5", "-o", "field.svg", "--image"],
        ["report", "lenet5", "-o", "page.html", "--bench"],
    ],
    ids=" ".join,
)
def test_a_file_without_a_name(arguments: list[str], run: Run) -> None:
    check_refused(run(*arguments, ""), "a file has a name")


@pytest.mark.parametrize("key", ["inputs", "parameters"])
def test_a_block_with_very_many_names(key: str, tmp_path: Path) -> None:
    names = ", ".join(f'"n{number}"' for number in range(200_000))
    file = tmp_path / "spec.toml"
    file.write_text(
        f"{HEAD}layers = [{{ type = 'relu' }}]\n[blocks.b]\n{key} = [{names}]\nlayers = [{{ type = 'add' }}]"
    )
    assert process("summary", str(file), timeout=30).returncode in (0, 2)


def test_an_unused_block_of_very_many_layers(tmp_path: Path) -> None:
    layers = ",\n".join(
        f'{{ name = "n{number}", type = "relu", input = "n{number - 1}" }}' for number in range(1, 40_000)
    )
    file = tmp_path / "spec.toml"
    file.write_text(f"{HEAD}layers = [{{ type = 'relu' }}]\n[blocks.b]\ninputs = ['n0']\nlayers = [\n{layers}\n]")
    assert process("summary", str(file), timeout=30).returncode == 0


def test_the_memory_of_very_many_layers_with_a_lower_bound(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    attention = "{ type = 'multi_head_attention', num_heads = 2, repeat = 10_000 }"
    file.write_text(f'name = "x"\ninputs.x = [4, 8]\nlayers = [{attention}]')
    result = process("memory", "--training", str(file), timeout=30)
    assert "Peak         ≥ " in result.stdout


def test_very_many_layers_in_place(tmp_path: Path) -> None:
    layers = "{ type = 'linear', out_features = 8 }, { type = 'relu', inplace = true, repeat = 20_000 }"
    file = tmp_path / "spec.toml"
    file.write_text(f'name = "x"\ninputs.x = [8]\nlayers = [{layers}]')
    result = process("summary", str(file), timeout=20)
    assert "works in place on a value that the backward pass of" in result.stderr
