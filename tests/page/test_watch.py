"""`archcalc watch`: the pages it serves, refreshing, and how it ends."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from interrupts import listening

from archcalc.cli import cli
from archcalc.errors import SpecError, UsageError

SPEC = 'name = "first"\nlayers = [{ type = "linear", out_features = 3 }]\n[inputs]\nx = [4]\n'


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.toml"
    path.write_text(SPEC)
    return path


@contextmanager
def served(spec: Path) -> Iterator[tuple[str, Any]]:
    """The address of the page, and the process that serves it."""
    command = [sys.executable, "-u", "-m", "archcalc", "watch", str(spec), "--port", "0"]
    with listening(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()[0], process
        finally:
            process.kill()


@pytest.fixture
def watched(spec: Path) -> Iterator[tuple[str, Any]]:
    with served(spec) as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a spec that is never saved. No request may end its server or make it print."""
    path = tmp_path_factory.mktemp("served") / "net.toml"
    path.write_text(SPEC)
    with served(path) as (found, process):
        yield found
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


def got(address: str, **headers: str) -> str:
    with urlopen(Request(address, headers=headers), timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def version_of(page: str) -> int:
    """The version of a page."""
    found = re.search(r"const version = (\d+);", page)
    assert found
    return int(found[1])


def newer(address: str, page: str) -> str:
    """Waits for a newer page than this one, and returns it."""
    version = version_of(page)
    assert int(got(f"{address}version?after={version}")) > version
    return got(address)


def saved(spec: Path, text: str) -> None:
    """Saves like an editor that replaces the file by a new one."""
    new = spec.with_suffix(".new")
    new.write_text(text)
    os.replace(new, spec)


def test_a_saved_spec_is_shown_and_an_error_with_its_place(watched: tuple[str, Any], spec: Path) -> None:
    address, process = watched
    first = got(address)
    assert '<h1 id="title-0">first</h1>' in first
    saved(spec, SPEC.replace("linear", "linaer"))
    page = newer(address, first)
    assert "net.toml:2" in page
    assert "linaer" in page
    saved(spec, SPEC.replace("first", "second"))
    assert ">second</h1>" in newer(address, page)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_a_page_of_an_earlier_server_is_refreshed(address: str) -> None:
    """It asks with a version that this server never had, and is answered at once."""
    version = version_of(got(address))
    assert got(f"{address}version?after={version - 1}") == str(version)
    assert version > 1_700_000_000_000  # milliseconds since 1970, so that no server begins where one began before


def test_malformed_and_foreign_requests(address: str) -> None:
    port = int(address.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as browser:
        browser.sendall(b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"404" in browser.recv(100)
    with pytest.raises(HTTPError) as refused:
        got(address, **{"Sec-Fetch-Site": "cross-site"})
    assert refused.value.code == 403
    refused.value.close()


def test_another_host_or_path_gets_nothing(address: str) -> None:
    strange = ("evil.example", "localhost:80@evil.example", "localhost:", "localhost:80:80", "127.0.0.1.evil.example")
    for place, host, code in (*((address, host, 403) for host in strange), (f"{address}etc/passwd", "127.0.0.1", 404)):
        with pytest.raises(HTTPError) as refused:
            got(place, Host=host)
        assert refused.value.code == code
        refused.value.close()


def test_a_browser_that_goes_away_is_no_error(address: str) -> None:
    port = int(address.rstrip("/").rpartition(":")[2])
    version = version_of(got(address))
    for question in ("/", f"/version?after={version}"):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port)) as browser:
                browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # which resets
                browser.sendall(f"GET {question} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    got(address)


def test_the_last_good_page_stays_below_an_error(watched: tuple[str, Any], spec: Path) -> None:
    address, _ = watched
    first = got(address)
    saved(spec, SPEC.replace("linear", "linaer"))
    page = newer(address, first)
    assert page.index("linaer") < page.index("The last valid version is below.") < page.index(">first</h1>")


def test_a_spec_that_is_wrong_from_the_start(spec: Path) -> None:
    spec.write_text(SPEC.replace("linear", "linaer"))
    command = [sys.executable, "-u", "-m", "archcalc", "watch", str(spec), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        page = got(process.stdout.readline().split()[0])
        process.kill()
    assert "linaer" in page
    assert "The last valid version is below." not in page


@pytest.mark.parametrize("make", [os.mkfifo, pytest.param(os.mkdir, marks=pytest.mark.slow)], ids=["pipe", "folder"])
def test_a_file_that_is_missing_for_a_moment(
    make: Callable[[Path], None], watched: tuple[str, Any], spec: Path
) -> None:
    address, _ = watched
    first = got(address)
    spec.unlink()
    make(spec)
    page = first
    while "not a file" not in page:  # there may be a moment without a page
        page = newer(address, page)
    assert ">first</h1>" in page
    other = spec.with_suffix(".other")
    spec.rename(other)
    saved(spec, SPEC.replace("first", "second"))
    while ">second</h1>" not in page:
        page = newer(address, page)
    assert "not a file" not in page


@pytest.mark.browser
def test_opened_collapsed_and_sorted_rows_stay_so(watched: tuple[str, Any], spec: Path, tmp_path: Path) -> None:
    from browser import chromium
    from selenium.webdriver.support.wait import WebDriverWait

    layers = """layers = [{ name = "b", type = "pair" }, { name = "c", type = "linear", out_features = 9 }]
    [blocks.pair]
    layers = [{ name = "one", type = "linear", out_features = 3 }, { name = "two", type = "relu" }]
    """
    text = f'name = "first"\ninputs.x = [4]\n{layers}'

    def seen(driver: Any) -> list[str]:
        """The displayed rows, read in one call: the page may be refreshed between two."""
        script = """return document.readyState !== "complete" ? [] : [...document.querySelectorAll("tr[data-layers]")]
            .filter((row) => row.checkVisibility()).map((row) => row.cells[0].innerText)"""
        return [name.strip("▾▸ \n") for name in driver.execute_script(script)]

    with chromium(tmp_path / "profile") as driver:
        driver.get(watched[0])
        saved(spec, text)
        WebDriverWait(driver, 20).until(lambda driver: seen(driver) == ["b", "c"])
        driver.find_element("css selector", "tbody.block button").click()
        driver.find_element("css selector", 'tr[data-layers="2"] summary').click()
        driver.find_element("css selector", "thead th:nth-child(4) button").click()
        assert seen(driver) == ["c", "b", "one", "two"]
        saved(spec, text.replace("first", "second"))
        WebDriverWait(driver, 20).until(lambda driver: driver.title == "second" and len(seen(driver)) == 4)
        assert seen(driver) == ["c", "b", "one", "two"]
        assert driver.find_element("css selector", "tr.explanation pre").is_displayed() or any(
            found.is_displayed() for found in driver.find_elements("css selector", "tr.explanation pre")
        )
        watched[1].send_signal(signal.SIGINT)
        WebDriverWait(driver, 20).until(lambda driver: "no longer refreshed" in driver.page_source)
        alone = driver.find_element("css selector", ".alone")
        WebDriverWait(driver, 20).until(lambda _: alone.is_displayed())


@pytest.mark.browser
@pytest.mark.slow
def test_the_browser_shows_the_saved_spec(watched: tuple[str, Any], spec: Path, tmp_path: Path) -> None:
    from browser import chromium, console
    from selenium.webdriver.support.wait import WebDriverWait

    with chromium(tmp_path / "profile") as driver:
        driver.get(watched[0])
        assert driver.title == "first"
        saved(spec, SPEC.replace("first", "second"))
        WebDriverWait(driver, 20).until(lambda driver: driver.title == "second")
        assert console(driver) == []


def test_specs_that_cannot_be_watched(spec: Path) -> None:
    def invoke(*arguments: str) -> None:
        CliRunner().invoke(cli, ["watch", *arguments], catch_exceptions=False)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot serve on port {port}: address already in use; give another"):
            invoke(str(spec), "--port", str(port))
    os.mkfifo(spec.with_name("pipe"))
    for name in ("-", str(spec.with_name("pipe"))):
        with pytest.raises(UsageError, match="cannot be watched"):
            invoke(name)
    with pytest.raises(SpecError, match="this is a folder, not a spec"):
        invoke(str(spec.parent))
    with pytest.raises(SpecError, match="nothing"):
        invoke("nothing.toml")
