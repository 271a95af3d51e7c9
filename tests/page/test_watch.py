"""`archcalc watch`: what it serves, when it is saved, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from archcalc.cli import cli
from archcalc.errors import SpecError, UsageError

SPEC = 'name = "first"\nlayers = [{ type = "linear", out_features = 3 }]\n[inputs]\nx = [4]\n'


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.toml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def watched(spec: Path) -> Iterator[tuple[str, Any]]:
    """The address of the page, and the process that serves it."""
    command = [sys.executable, "-u", "-m", "archcalc", "watch", str(spec), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()[0], process
        finally:
            process.kill()


def got(address: str, **headers: str) -> str:
    with urlopen(Request(address, headers=headers), timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def saved(spec: Path, text: str) -> None:
    """As an editor does that puts a new file in the place of the old one."""
    new = spec.with_suffix(".new")
    new.write_text(text)
    os.replace(new, spec)


def test_a_saved_spec_is_shown_and_an_error_with_its_place(watched: tuple[str, Any], spec: Path) -> None:
    address, process = watched
    assert '<h1 id="title-0">first</h1>' in got(address)
    saved(spec, SPEC.replace("linear", "linaer"))
    assert got(f"{address}version?after=1") == "2"
    page = got(address)
    assert "net.toml:2" in page
    assert "linaer" in page
    saved(spec, SPEC.replace("first", "second"))
    assert got(f"{address}version?after=2") == "3"
    assert ">second</h1>" in got(address)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert process.stderr.read() == ""


def test_another_host_or_path_gets_nothing(watched: tuple[str, Any]) -> None:
    address, _ = watched
    for place, host, code in ((address, "evil.example", 403), (f"{address}etc/passwd", "127.0.0.1", 404)):
        with pytest.raises(HTTPError) as refused:
            got(place, Host=host)
        assert refused.value.code == code
        refused.value.close()


@pytest.mark.browser
def test_the_browser_shows_what_is_saved(watched: tuple[str, Any], spec: Path, tmp_path: Path) -> None:
    from browser import chromium, console
    from selenium.webdriver.support.wait import WebDriverWait

    with chromium(tmp_path / "profile") as driver:
        driver.get(watched[0])
        assert driver.title == "first"
        saved(spec, SPEC.replace("first", "second"))
        WebDriverWait(driver, 20).until(lambda driver: driver.title == "second")
        assert console(driver) == []


def test_what_cannot_be_watched(spec: Path) -> None:
    def invoke(*arguments: str) -> None:
        CliRunner().invoke(cli, ["watch", *arguments], catch_exceptions=False)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot serve on port {port}: address already in use; give another"):
            invoke(str(spec), "--port", str(port))
    with pytest.raises(UsageError, match="never saved"):
        invoke("-")
    with pytest.raises(SpecError, match="nothing"):
        invoke("nothing.toml")
