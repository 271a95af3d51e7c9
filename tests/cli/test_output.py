"""Files are written whole or not at all, and replaced only with --force."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archcalc.cli.output import check_writable, write_file
from archcalc.errors import UsageError


@pytest.mark.parametrize("content", ["ß ×\n", "ß ×\n".encode()])
def test_text_and_bytes(tmp_path: Path, content: str | bytes) -> None:
    write_file(str(tmp_path / "a"), content)
    assert (tmp_path / "a").read_bytes() == "ß ×\n".encode()
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_is_replaced_with_force_alone(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("mine")
    file.chmod(0o640)
    with pytest.raises(UsageError, match='/a" is there already; --force replaces it'):
        write_file(str(file), "yours")
    assert file.read_text() == "mine"
    write_file(str(file), "yours", force=True)
    assert file.read_text() == "yours"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write_file(str(tmp_path / "link"), "new", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_a_device_stays_a_device() -> None:
    write_file("/dev/null", "anything")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing/a", "no such file or directory"), ("", "is a directory"), ("file/a", "not a directory"), ("\0", "null")],
)
def test_a_place_where_nothing_can_be_written(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=f"cannot write .*{reason}"):
        write_file(f"{tmp_path}/{path}", "text", force=True)
    with pytest.raises(UsageError, match=f"cannot write .*{reason}"):
        check_writable(f"{tmp_path}/{path}", force=True)
    assert os.listdir(tmp_path) == ["file"]


def test_checking_a_path_creates_no_file(tmp_path: Path) -> None:
    check_writable(str(tmp_path / "a"), force=False)
    check_writable("/dev/null", force=False)
    assert os.listdir(tmp_path) == []


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: str, target: str) -> None:
        Path(target).write_text("theirs")
        real(source, target)

    real = os.link
    monkeypatch.setattr(os, "link", link)
    with pytest.raises(UsageError, match="is there already"):
        write_file(str(tmp_path / "a"), "mine")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "theirs"


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    write_file(str(tmp_path / "a"), "mine")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "mine"


def test_leftover_files_do_not_matter(tmp_path: Path) -> None:
    left = f".archcalc-{os.getpid()}.tmp"
    (tmp_path / left).write_text("theirs")
    write_file(str(tmp_path / "a"), "mine")
    assert sorted(os.listdir(tmp_path)) == [left, "a"]


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("")
    write_file(str(tmp_path / "a"), "mine")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_nothing_is_left_of_a_file_that_cannot_be_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    (tmp_path / "a").write_text("old")
    with pytest.raises(UsageError, match="no space left on device"):
        write_file(str(tmp_path / "a"), "new", force=True)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_process_ends_in_the_ordinary_way() -> None:
    """Profilers, coverage and programs that call the entry point have something left to do."""
    script = (
        "import atexit, sys\nfrom archcalc.__main__ import main\natexit.register(print, 'the end')\n"
        "sys.argv = ['archcalc', 'summary', 'lenet55']\ntry: main()\nexcept SystemExit as request: print(request.code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "2\nthe end\n"
