"""The way to `summary` imports nothing heavy, and the check of that can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

HEAVY = (
    "torch",
    "numpy",
    "sympy",
    "matplotlib",
    "tabulate",
    "tree_sitter",
    "wasmtime",
    "graphviz",
    "importlib.metadata",
)
LOADED = "import sys, {module}; {code}; print(*(name for name in {heavy!r} if name in sys.modules))"


def loaded(module: str, code: str) -> list[str]:
    """The heavy modules that are loaded after running code in a fresh interpreter."""
    script = LOADED.format(module=module, code=code, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        "archcalc.load('lenet5').to_dict()",
        "archcalc.load('lenet5').roofline('a100').to_dict()",
        "network = archcalc.load('gcn_cora'); str(network), [str(network.explain(r.name)) for r in network.layers]",
        "import archcalc.cli; archcalc.cli.cli(['summary', 'lenet5'], standalone_mode=False)",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    assert loaded("archcalc", code) == []


def test_the_check_can_fail() -> None:
    assert loaded("tabulate", "pass") == ["tabulate", "importlib.metadata"]


def test_nothing_is_imported_before_ctrl_c_is_caught() -> None:
    assert loaded("archcalc.__main__", "pass") == []
    script = "import archcalc.__main__, sys; print(*(name for name in sys.modules if name[:4] in ('arch', 'clic')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["archcalc", "archcalc.__main__"]


def contracts(folder: Path) -> "subprocess.CompletedProcess[str]":
    """The output of import-linter for the package in a folder, with the contracts in pyproject.toml."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [str(program), "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_imports_go_one_way() -> None:
    done = contracts(ROOT)
    assert done.returncode == 0, done.stdout
    assert "2 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("spec/names.py", "from archcalc.analysis import context", "Layers of the package BROKEN"),
        ("layers/base.py", "def late() -> None:\n    import archcalc.layers.sliding", "package BROKEN"),
    ],
)
def test_a_cycle_is_found(tmp_path: Path, module: str, line: str, broken: str) -> None:
    shutil.copytree(ROOT / "archcalc", tmp_path / "archcalc", ignore=shutil.ignore_patterns("__pycache__"))
    changed = tmp_path / "archcalc" / module
    changed.write_text(f"{changed.read_text('utf-8')}\n\n{line}\n", "utf-8")
    done = contracts(tmp_path)
    assert done.returncode == 1
    assert broken in done.stdout
