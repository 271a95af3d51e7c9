"""Errors where a package of the page is missing."""

import subprocess
import sys

import pytest

SCRIPT = "import sys; sys.modules[{package!r}] = None; sys.argv[1:] = {arguments!r}; import archcalc.cli as c; c.main()"


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [
        ("jinja2", "report", ["report", "lenet5", "-o", "page.html"]),
        ("matplotlib", "report", ["report", "lenet5", "-o", "page.html"]),
        ("watchfiles", "watch", ["watch", "lenet5"]),
    ],
)
def test_a_missing_package_is_named(package: str, extra: str, arguments: list[str]) -> None:
    script = SCRIPT.format(package=package, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith(f"pip install 'archcalc[{extra}]'\n")
    assert done.stderr.count("\n") == 2
