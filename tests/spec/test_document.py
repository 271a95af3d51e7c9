"""Reading TOML files, and everything else that a file can be."""

import io
import os
import sys
from copy import deepcopy
from pathlib import Path

import pytest
from msgspec import structs

import archcalc
from archcalc.errors import Problem, SpecError
from archcalc.spec.document import MAX_REMEMBERED, SPEC_KIND, SpecDocument, parse, read, shipped_specs

SPEC = 'name = "x"\n'


def refusal(content: bytes, folder: Path) -> str:
    file = folder / "spec.toml"
    file.write_bytes(content)
    with pytest.raises(SpecError, match=r"spec\.toml") as caught:
        read(str(file))
    assert len(caught.value.diagnostics) == 1
    return str(caught.value).replace(str(folder) + os.sep, "")


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text(SPEC, encoding="utf-8")
    assert read(str(file)) == SpecDocument(str(file), SPEC, {"name": "x"})


def test_a_file_without_ending_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "network").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read("network").data == {"name": "x"}


def test_a_shipped_spec_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lenet5").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read("lenet5").source == shipped_specs()["lenet5"]
    assert read("./lenet5").data == {"name": "x"}


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_byte_order_mark_and_carriage_returns(prefix: bytes, end: bytes, tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_bytes(prefix + b'name = "x"' + end + b"layers = 1" + end)
    assert read(str(file)).text == 'name = "x"\nlayers = 1\n'


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'name = "\xc3\x97"')))
    assert read("-") == SpecDocument("<stdin>", 'name = "×"', {"name": "×"})


def test_no_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SpecError, match="the spec is empty"):
        read("-")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the spec is empty"),
        (b" \r\n\t\n", "the spec is empty"),
        (b"\xef\xbb\xbf", "the spec is empty"),
        (b"\x7fELF\x02\x01\x00\xff\xfe", "not a text file: byte 7 is not UTF-8"),
        ('name = "x"'.encode("utf-16"), "not a text file: byte 0 is not UTF-8"),
        (b"name = 'caf\xe9'", "not a text file: byte 11 is not UTF-8"),
        (b"\x00\x00\x00", "not TOML: "),
        (b"a = [1", "not TOML: "),
        (b"# fine\na = 1\na = 2", "not TOML: Cannot overwrite a value"),
        (b"a = 1\rb = 2", "not TOML: "),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a = " + b"{ b = " * 100_000, "nested too deeply"),
        (b"a = 1\nb = [" + b"9" * 5000 + b"]", "not TOML: a number of 5,000 digits is beyond any size"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else None,
)
def test_files_that_are_no_spec(content: bytes, message: str, tmp_path: Path) -> None:
    text = refusal(content, tmp_path)
    assert text.startswith(f"error: {message}") or message in text.split("\n")[0]
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"# fine\na = 1\na = 2", 3),
        (b"a = 1\nb = [" + b"9" * 5000 + b"]\nc = 2", 2),
        (b"a = 1\r\nb = \r\n", 2),
    ],
)
def test_broken_toml_has_its_line(content: bytes, line: int, tmp_path: Path) -> None:
    assert f"┌ spec.toml:{line}\n" in refusal(content, tmp_path)


def test_broken_toml_at_the_end_of_the_file(tmp_path: Path) -> None:
    text = refusal(b"a = 1\nb = [1\n\n\n", tmp_path)
    assert text.startswith("error: not TOML: Unclosed array at the end of the file\n  ┌ spec.toml:2\n  │ b = [1\n")


def test_control_characters_in_broken_toml(tmp_path: Path) -> None:
    text = refusal(b'a = "\x1b[31mred"\tand "more\x1b"', tmp_path)
    assert "\x1b" not in text
    assert '│ a = "�[31mred" and "more�"' in text


def test_a_file_larger_than_any_spec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("archcalc.spec.document.SPEC_KIND", structs.replace(SPEC_KIND, max_bytes=9))
    assert refusal(b"a = 123456", tmp_path).startswith("error: larger than")


def test_devices_are_no_files() -> None:
    with pytest.raises(SpecError, match="not a file"):
        read("/dev/zero")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="this is a folder, not a spec"):
        read(str(tmp_path))


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file or directory"):
        read(str(tmp_path / "missing.toml"))


def test_a_file_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(SpecError, match="permission denied"):
        read("private.toml")


@pytest.mark.parametrize("path", ["a\0b.toml", "a\0b", "x" * 5000, "x" * 5000 + ".toml", "a\nb/\x1b[31m.toml", ""])
def test_wrong_paths(path: str) -> None:
    with pytest.raises(SpecError, match=r"^error: ") as caught:
        read(path)
    assert "\x1b" not in str(caught.value)


def test_a_misspelled_name() -> None:
    with pytest.raises(SpecError, match='neither a file nor a shipped spec is called "lenet"') as caught:
        read("lenet")
    assert 'help: did you mean "lenet5"?' in str(caught.value)


def test_problems_are_reported_once_in_the_order_of_the_file() -> None:
    document = parse("a = 1\nb = 2\nc = 3\n")
    late, early, whole = Problem("late", ("c",)), Problem("early", ("a",)), Problem("whole")
    found = document.diagnostics([late, early, whole, late, early])
    assert [diagnostic.message for diagnostic in found] == ["whole", "early", "late"]
    assert [diagnostic.place.line for diagnostic in found] == [None, 1, 3]


@pytest.mark.parametrize("name", shipped_specs())
def test_cached_data_of_a_text_is_not_changed(name: str) -> None:
    document = read(name)
    before = deepcopy(document.data)
    archcalc.load(name, training=True).collapsed(1)
    assert read(name).data is document.data  # another load of a text does not parse it
    assert document.data == before


def test_a_long_text_is_not_cached() -> None:
    text = f'name = "{"x" * MAX_REMEMBERED}"'
    assert parse(text).data is not parse(text).data


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("a = [1, 2\nb = 3", "is a comma missing"),
        ("a = { b = 1 c = 2 }", "is a comma missing?"),
        ("a = yes", "a value is a number"),
        ("a = 1\na = 2", "is the key there twice?"),
        ("a = { b = 1, b = 2 }", "keep one of the two"),
        ("[a]\n[a]", "is the table there twice?"),
        ("a = { b = 1 }\na.c = 2", "write it inside of the { }"),
        ("a b = 1", "write key = value"),
        ("a = 1 b = 2", "one key = value on each line"),
        ("[a b]", "stands alone on its line"),
        ("=", "write key = value"),
        ('a = "x\ny"', "is a quote missing?"),
        ("a = 'x\ny'", "is a quote missing?"),
        ('a = "x', "is a double quote missing?"),
        ("a = 'x", "is a quote missing?"),
        ('a = "\\x"', "write \\\\ for a backslash"),
        ('a = "\\u12"', "hexadecimal digits follow"),
        ('a = "\\ud800"', "the letter itself"),
        ('a = "\x01"', "as an escape"),
        ("a = '\x01'", "as an escape"),
        ("a = 2020-02-31", "text stands in double quotes"),
    ],
)
def test_broken_toml_has_a_remedy(text: str, remedy: str) -> None:
    with pytest.raises(SpecError) as error:
        parse(text)
    (problem,) = error.value.diagnostics
    assert problem.message.startswith("not TOML: ")
    assert remedy in (problem.help or ""), problem
