"""What the way to `summary` imports: nothing heavy. And that the check can fail."""

import subprocess
import sys

import pytest

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
    """Which heavy modules are loaded after running code in a fresh interpreter."""
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
