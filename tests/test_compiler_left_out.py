"""PyTorch without its compiler: the same answers, and no trace. Each test has a process to itself."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
BEGIN = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import archcalc, torch
from archcalc.pytorch.verify import verify
from archcalc.pytorch.verify.compiler import compiler_left_out

def imported():
    return [*{{"torch._dynamo", "torch.fx.experimental.symbolic_shapes", "sympy"}}.intersection(sys.modules)]
"""


def run(script: str) -> None:
    result = subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_layer_type_behaves_as_with_it() -> None:
    run("""
from test_verify import EXAMPLES, one_layer
networks = [archcalc.load("m5"), *map(one_layer, EXAMPLES)]
with compiler_left_out():
    without = [verify(network, "meta", ()) for network in networks]
assert not imported()
assert without == [verify(network, "meta", ()) for network in networks]
assert imported()
""")


def test_the_command_leaves_it_out() -> None:
    run("""
from archcalc.cli import cli
cli(["verify", "lenet5", "--device", "meta"], standalone_mode=False)
assert not imported()
""")


def test_it_leaves_no_trace() -> None:
    run("""
import gc, types
with compiler_left_out():
    assert verify(archcalc.load("m5"), "meta", ()).agrees
assert not imported() and "_dynamo" not in vars(torch)
functions = [thing for thing in gc.get_objects() if isinstance(thing, types.FunctionType)]
assert not [function for function in functions if "__dynamo_disable" in vars(function)]
built = archcalc.build("m5").eval()
values = torch.rand(2, 1, 32000)
torch.testing.assert_close(torch.compile(built, backend="eager", fullgraph=True)(values), built(values))
assert "torch._dynamo.eval_frame" in sys.modules
""")


def test_what_does_not_fit_is_refused_as_with_it() -> None:
    run("""
def refused(function, *shapes):
    try:
        function(*(torch.empty(shape, device="meta") for shape in shapes))
    except RuntimeError as error:
        return str(error)

cases = [
    (torch.add, (2, 3), (2, 4)),
    (torch.matmul, (2, 3), (4, 5)),
    (torch.conv2d, (1, 3, 8, 8), (4, 2, 3, 3)),
    (torch.conv2d, (1, 3, 2, 2), (4, 3, 3, 3)),
    (lambda left, right: torch.cat([left, right]), (2, 3), (2, 4)),
]
with compiler_left_out():
    without = [refused(*case) for case in cases]
assert not imported()
assert all(without) and without == [refused(*case) for case in cases]
""")


def test_it_makes_way_when_more_is_asked_for() -> None:
    run("""
with compiler_left_out():
    import torch._dynamo.config
    from torch.fx.experimental.symbolic_shapes import ShapeEnv, guard_or_false, sym_eq
    import sympy
    assert isinstance(sympy.Integer(2), sympy.Basic) and torch._dynamo.config.recompile_limit
    size = ShapeEnv().create_unbacked_symint()
    assert not guard_or_false(size == 3) and sym_eq((size, 2), (size, 2))
assert len(imported()) == 3
from torch._dynamo import disable
assert disable.__module__.startswith("torch._dynamo")
""")


def test_asked_of_symbols_the_stand_in_asks_the_original() -> None:
    run("""
with compiler_left_out():
    from torch.fx.experimental.symbolic_shapes import guard_or_false, sym_and, sym_or, sym_eq, is_nested_int
    assert sym_and(True, True, True) and not sym_and(True, False) and sym_or(False, True) and not sym_or(False, False)
    assert sym_eq((1, [2, 3]), [1, (2, 3)]) and not sym_eq((1, 2), (1, 2, 3)) and not sym_eq(1, 2)
    assert not is_nested_int(3) and not hasattr(sys.modules["sympy"], "__file__")
    from torch.fx.experimental.symbolic_shapes import ShapeEnv
    assert not guard_or_false(ShapeEnv().create_unbacked_symint() == 3)
""")
