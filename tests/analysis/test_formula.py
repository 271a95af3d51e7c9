"""Closed forms equal the numbers of the summary, also for other values of the symbols."""

import subprocess
import sys
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import archcalc
from archcalc.analysis.formula import Formula
from archcalc.errors import SpecError, UsageError
from archcalc.numbers.bounds import Unknown, reason_of

LETTERS = {1: ["F"], 2: ["K", "L"], 3: ["K", "H", "W"], 4: ["K", "D", "H", "W"]}


def variables_of(network: archcalc.Network) -> dict[str, Any]:
    """The variables that are numbers."""
    return {name: value for name, value in network.graph.variables.items() if type(value) in (int, float)}


def letters_of(network: archcalc.Network) -> dict[str, list[Any]]:
    """A letter for each size of the spec's dense inputs that is not a variable."""
    written = network.graph.document.data["inputs"]
    shapes: dict[str, list[Any]] = {}
    for number, (name, shape) in enumerate(network.inputs.items()):
        sizes = written[name]["shape"] if isinstance(written[name], dict) else written[name]
        names = [f"{letter}{number}" if number else letter for letter in LETTERS[len(shape)]]
        if network.graph.inputs[name].nonzeros is None:
            pairs = zip(sizes, names, shape, strict=True)
            shapes[name] = [size if isinstance(size, str) else letter for size, letter, _ in pairs]
    return shapes


def agree(formula: Formula, network: archcalc.Network, values: dict[str, Any]) -> None:
    """Every closed form is the network's number."""
    numbers = formula.numbers(values)
    assert formula.parameters.xreplace(numbers) == network.totals.parameters
    assert formula.macs.xreplace(numbers) == network.totals.macs
    assert [row.name for row in formula.layers] == [row.name for row in network.layers]
    for row, layer in zip(formula.layers, network.layers, strict=True):
        assert tuple(size.xreplace(numbers) for size in row.output_shape) == layer.output_shape, row.name
        assert row.parameters.xreplace(numbers) == layer.parameters, row.name
        assert isinstance(row.macs, Unknown) or row.macs.xreplace(numbers) == layer.macs, row.name
    assert tuple(formula.outputs) == network.outputs


@pytest.mark.every_spec
@pytest.mark.parametrize("name", sorted(archcalc.shipped_specs()))
def test_equals_the_summary(name: str) -> None:
    network = archcalc.load(name)
    shapes = letters_of(network)
    formula = archcalc.formula(name, variables_of(network), inputs=shapes, batch="N")
    agree(formula, network, {})
    own = {symbol.name: value for symbol, value in formula.values.items()}
    tried = 0

    @settings(max_examples=20)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal tried
        values = {symbol: data.draw(near(value), label=symbol) for symbol, value in own.items()}
        if not all(formula.value(condition, values) for condition in formula.conditions):
            return
        variables = {symbol: values[symbol] for symbol in variables_of(network)}
        inputs = {name: [values.get(size, size) for size in shape] for name, shape in shapes.items()}
        inputs = {name: shape for name, shape in inputs.items() if not any(isinstance(size, str) for size in shape)}
        try:
            other = archcalc.load(name, variables=variables, inputs=inputs, batch=values["N"])
        except SpecError:
            return  # these sizes do not fit
        agree(formula, other, values)
        tried += 1

    check()
    assert tried


def near(value: Any) -> st.SearchStrategy[Any]:
    if isinstance(value, float):
        return st.sampled_from([0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0])  # calculated exactly
    return st.just(value) | st.integers(max(1, value - value // 4), 2 * value + 1)


@pytest.mark.parametrize(("height", "width"), [(188, 204), (572, 188), (300, 1212)])
def test_a_network_that_fits_few_sizes(height: int, width: int) -> None:
    formula = archcalc.formula("unet", inputs={"image": (1, "H", "W")})
    assert [*map(str, formula.conditions)] == ["H >= 92", "W >= 92"]  # else a crop would begin outside its input
    assert [*map(str, formula.outputs["classes"])] == ["2", "H - 184", "W - 184"]
    values = {"H": height, "W": width}
    agree(formula, archcalc.load("unet", inputs={"image": (1, height, width)}), values)


@pytest.mark.parametrize(
    ("name", "variable", "inputs", "parameters", "macs"),
    [
        ("stacked_3x3", "C", {}, "27*C**2", "84672*C**2"),  # 27·C²·56², Simonyan and Zisserman 2014, section 2.3
        ("single_7x7", "C", {}, "49*C**2", "153664*C**2"),
        ("vgg16", None, {"image": (3, "H", "H")}, "138357544", None),
        ("densenet121", "growth", {}, "6700*growth**2 + 34908*growth + 1000", None),
    ],
)
def test_the_closed_form(name: str, variable: str | None, inputs: Any, parameters: str, macs: str | None) -> None:
    formula = archcalc.formula(name, [variable] if variable else [], inputs=inputs)
    assert str(formula.parameters) == parameters
    assert macs is None or str(formula.macs) == macs


def test_three_small_kernels_cost_less_than_a_large_one() -> None:
    """The claim that the two specs illustrate, for every C."""
    stacked, single = (archcalc.formula(name, ["C"]).parameters for name in ("stacked_3x3", "single_7x7"))
    assert sympy.simplify(single / stacked) == sympy.Rational(49, 27)


def test_resnet_has_sizes_of_five_kinds() -> None:
    formula = archcalc.formula("resnet50", inputs={"image": (3, "H", "H")})
    assert [str(definition) for definition in formula.definitions.values()] == [
        "ceiling(H/2)", "ceiling(H/4)", "ceiling(H/8)", "ceiling(H/16)", "ceiling(H/32)"
    ]  # fmt: skip
    assert formula.symbols == (sympy.Symbol("H", integer=True, real=True, positive=True),)
    assert formula.substituted(formula.macs).free_symbols == {*formula.symbols}
    assert formula.value(formula.macs, {"H": 224}) == 4_089_184_256  # torchvision's table: 4.09 G


WIDE = """
name = "wide"
variables.alpha = 1.0
variables.depth = 2
variables.flag = true
variables.list = [1, 2]
variables.kernel = 3
variables.maps = "round_to(32 * alpha, 8)"
inputs.image = [3, 32, 32]
outputs = ["head"]
layers = [
  { name = "conv", type = "conv2d", out_channels = "maps", kernel_size = "kernel", padding = "kernel // 2" },
  { name = "deep", type = "conv2d", out_channels = 8, kernel_size = 1, repeat = "depth" },
  { name = "thin", type = "conv2d", out_channels = 4, kernel_size = 1, when = "alpha > 0.5" },
  { type = "adaptive_avg_pool2d", output_size = 1 }, { type = "flatten" },
  { name = "head", type = "linear", out_features = "list[depth - 1]" },
]
"""


@pytest.fixture
def wide(tmp_path: Any) -> str:
    path = tmp_path / "wide.toml"
    path.write_text(WIDE)
    return str(path)


def test_decisions_are_listed_as_conditions(wide: str) -> None:
    formula = archcalc.formula(wide, ["alpha"])
    assert [*map(str, formula.conditions)] == ["alpha > 1/2"]
    assert str(formula.definitions[formula.layers[0].output_shape[0]]) == "round_to(32*alpha, 8)"
    thin = archcalc.formula(wide, ["alpha"], variables={"alpha": 0.5})
    assert [*map(str, thin.conditions)] == ["alpha <= 1/2"]
    assert len(thin.layers) == len(formula.layers) - 1


def test_a_kernel_may_be_a_symbol(wide: str) -> None:
    formula = archcalc.formula(wide, ["kernel"])
    for kernel in (1, 2, 3, 4, 7):
        agree(formula, archcalc.load(wide, variables={"kernel": kernel}), {"kernel": kernel})


def test_floors_of_whole_numbers_vanish(tmp_path: Any) -> None:
    path = tmp_path / "thin.toml"
    path.write_text(
        'name = "thin"\nvariables.alpha = 1.0\ninputs.x = [3, 8, 8]\n'
        'layers = [{ type = "conv2d", out_channels = "32 * alpha", kernel_size = 3, bias = false },'
        '{ type = "conv2d", out_channels = 4, kernel_size = 1, bias = false },'
        '{ type = "chunk", chunks = 2, index = 0 }, { type = "upsample", scale_factor = "2 * alpha" }]'
    )
    formula = archcalc.formula(str(path), ["alpha"])
    assert str(formula.parameters) == "992*alpha"  # (3·9 + 4)·32·alpha
    assert [*map(str, formula.outputs["upsample"])] == ["2", "H_1", "H_1"]
    assert [*map(str, formula.definitions.values())] == ["floor(fl(12*alpha))"]
    for alpha in (0.25, 0.5, 1.5, 2.0):
        agree(formula, archcalc.load(str(path), variables={"alpha": alpha}), {"alpha": alpha})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"symbols": ["aplha"]}, 'no variable is called "aplha"; did you mean "alpha"?'),
        (
            {"symbols": ["Q"]},
            r'called "Q"; a symbol is a variable of the spec \(alpha, depth, kernel, maps\), or sizes',
        ),
        ({"symbols": ["training"]}, 'no variable is called "training"'),
        ({"symbols": ["flag"]}, 'variable "flag" is true or false, which cannot be a symbol; --set'),
        ({"symbols": ["list"]}, 'variable "list" is a list, which cannot be a symbol'),
        ({"symbols": "alpha"}, r"symbols must be names, as in \['alpha'\]"),
        ({}, r"a formula needs a symbol: a variable of the spec .*, or sizes of an input \(--input image=CxHxW\)"),
        ({"inputs": {"image": (3, "H")}}, 'input "image" has 3 axes, not 2: letters stand for the sizes'),
        ({"inputs": {"image": (3, "H", "W!")}}, '"W!" cannot be the name of a size'),
        ({"inputs": {"image": (3, "H", 0)}}, "must be whole numbers, 1 or more, or names"),
        ({"symbols": ["alpha"], "batch": "alpha"}, '"alpha" cannot stand for the batch'),
        ({"symbols": ["alpha"], "batch": 0}, "batch must be a whole number, 1 or more, or a name"),
    ],
)
def test_wrong_arguments(wide: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        archcalc.formula(wide, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"symbols": ["depth"]}, 'repeat = "depth" depends on a symbol, depth'),
        ({"inputs": {"imag": (3, "H", "W")}}, 'no input is called "imag"'),
        ({"symbols": ["alpha"], "inputs": {"image": (3, 32)}}, "conv2d takes channels × height × width, not 2 axes"),
    ],
)
def test_symbols_that_the_spec_cannot_have(wide: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        archcalc.formula(wide, **arguments)


def test_a_total_that_misses_unknown_macs_is_a_lower_bound(tmp_path: Any) -> None:
    path = tmp_path / "graph.toml"
    path.write_text(
        'name = "graph"\nvariables.n = 7\ninputs.x = ["n", 5]\ninputs.a = ["n", "n"]\n'
        'layers = [{ name = "one", type = "gcn_conv", inputs = ["x", "a"], out_features = 4 },'
        '{ name = "two", type = "linear", out_features = 3 }]'
    )
    formula = archcalc.formula(str(path), ["n"])
    assert str(formula.macs) == "≥ 12*n"
    assert reason_of(formula.macs) == "one: the adjacency input does not say its number of nonzeros at this size"


def test_nonzeros_belong_to_one_size(tmp_path: Any) -> None:
    path = tmp_path / "graph.toml"
    path.write_text(
        'name = "graph"\ninputs.x = [7, 5]\ninputs.a = { shape = [7, 7], nonzeros = 19 }\n'
        'layers = [{ type = "gcn_conv", inputs = ["x", "a"], out_features = 4 }, { type = "linear", out_features = 3 }]'
    )
    wider = archcalc.formula(str(path), inputs={"x": (7, "F")})
    assert str(wider.macs) == "28*F + 160"  # 7·F·4 + 19·4 + 7·4·3
    larger = archcalc.formula(str(path), inputs={"x": ("n", 5), "a": ("n", "n")})
    assert str(larger.macs) == "≥ 12*n"


def test_names_of_intermediate_results_are_not_those_of_symbols(tmp_path: Any) -> None:
    path = tmp_path / "names.toml"
    path.write_text(
        'name = "names"\nvariables.L_1 = 40\ninputs.x = [3, "L_1"]\nlayers = ['
        '{ type = "max_pool1d", kernel_size = 2 }, { type = "conv1d", out_channels = 5, kernel_size = 4, stride = 3 }]'
    )
    formula = archcalc.formula(str(path), ["L_1"])
    assert {str(name): str(meaning) for name, meaning in formula.definitions.items()} == {
        "L_2": "floor(L_1/2)",
        "L_3": "floor(L_1/6 - 1/3)",  # (⌊L/2⌋ − 4)/3 + 1 = (⌊L/2⌋ − 1)/3, rounded down
    }


def test_weights_used_twice_are_counted_once(tmp_path: Any) -> None:
    path = tmp_path / "shared.toml"
    path.write_text(
        'name = "shared"\nvariables.C = 4\ninputs.x = ["C"]\n'
        'layers = [{ name = "one", type = "linear", out_features = "C", bias = false },'
        '{ name = "two", type = "linear", out_features = "C", bias = false, weights = "one" }]'
    )
    formula = archcalc.formula(str(path), ["C"])
    assert (str(formula.parameters), str(formula.macs)) == ("C**2", "2*C**2")


def test_an_open_size_of_a_reshape_holds_under_a_condition(tmp_path: Any) -> None:
    path = tmp_path / "open.toml"
    path.write_text(
        'name = "open"\nvariables.m = 3\ninputs.x = [4, 6]\n'
        'layers = [{ type = "reshape", shape = [8, "m - 4"] }, { type = "linear", out_features = "m" }]'
    )
    formula = archcalc.formula(str(path), ["m"])
    assert formula.layers[0].output_shape == (8, 3)
    assert [str(condition) for condition in formula.conditions] == ["Eq(m - 4, -1)"]


def test_conditions_that_always_hold_are_left_out(tmp_path: Any) -> None:
    path = tmp_path / "certain.toml"
    chunk = '{ type = "chunk", chunks = "depth + 2", index = 0, dim = 0 }'
    path.write_text(f'name = "certain"\nvariables.depth = 0\ninputs.x = [2, 13]\nlayers = [{chunk}]')
    assert archcalc.formula(str(path), ["depth"]).conditions == ()


def test_a_letter_for_a_size_must_not_be_a_variable() -> None:
    with pytest.raises(archcalc.UsageError, match='variable "C" is 64, but input "image" has 56 there'):
        archcalc.formula("stacked_3x3", inputs={"image": [64, "C", "W"]})
    assert archcalc.formula("stacked_3x3", inputs={"image": ["C", "H", "W"]}).values


STRANGERS = {
    # Each variable squares the one above, all of them 1.
    "powers": "\n".join(["variables.v0 = 1"] + [f'variables.v{n} = "v{n - 1} * v{n - 1}"' for n in range(1, 60)]),
    "sums": "\n".join(["variables.v0 = 1"] + [f'variables.v{n} = "(v{n - 1} + v0) ** 2 // 4"' for n in range(1, 120)]),
    # Maxima of maxima: SymPy compares all of their arguments.
    "maxima": "\n".join(
        ["variables.v0 = 1", "variables.w = 9"]
        + [f'variables.v{n} = "max(v{n - 1} + {n}, w - 2 * v{n - 1}, {n + 3} - v{n - 1} // 2)"' for n in range(1, 60)]
    ),
    # Powers of sums with more terms than fit any memory.
    "products": "variables.v0 = 1\nvariables.w = 1\n"
    'variables.v59 = "(v0 + w) ** 200 // (v0 + w) ** 200 * (v0 + w + 1) ** 50 // 3 ** 50"',
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in ("sums", "products"))) for name in STRANGERS]
)
def test_hostile_specs_end_in_time(name: str, tmp_path: Any) -> None:
    path = tmp_path / "hostile.toml"
    last = "v119" if name == "sums" else "v59"
    layers = f'[{{ type = "linear", out_features = "{last}" }}, {{ type = "linear", out_features = "{last} + 1" }}]'
    path.write_text(f'name = "x"\n{STRANGERS[name]}\ninputs.x = ["v0"]\nlayers = {layers}\n')
    script = (
        "import sys, time, archcalc\n"
        "try: archcalc.formula(sys.argv[1], ['v0'] + (['w'] if sys.argv[2] in ('products', 'maxima') else []))\n"
        "except archcalc.UsageError as error: print(error)\n"
        "assert time.process_time() < 20"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path), name], timeout=100, check=False)
    assert done.returncode == 0


def test_without_sympy() -> None:
    script = (
        "import sys; sys.modules['sympy'] = None; import archcalc\n"
        "try: archcalc.formula('stacked_3x3', ['C'])\n"
        "except archcalc.UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "this needs SymPy, which is not installed; pip install 'archcalc[formula]'\n"
