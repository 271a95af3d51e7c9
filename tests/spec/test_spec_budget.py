"""The budget of a spec: errors in it, breaches of it, and arguments that replace it."""

import pytest

import archcalc

SPEC = """name = "x"
inputs.image = [3, 32, 32]
variables.maps = 8
layers = [{ name = "conv", type = "conv2d", out_channels = "maps", kernel_size = 3 }]

"""
PARAMETERS = 27 * 8 + 8


def load(budget: str, **variables: int) -> archcalc.Network:
    return archcalc.loads(SPEC + budget, variables=variables)


def refusal(budget: str) -> str:
    with pytest.raises(archcalc.SpecError) as caught:
        load(budget)
    return str(caught.value)


@pytest.mark.parametrize(
    "budget",
    [
        f"[budget]\nmax = {{ parameters = {PARAMETERS - 1} }}",
        f'[budget]\n\nmax = {{ parameters = "{PARAMETERS - 1}" }}',
        f"[budget.max]\nparameters = {PARAMETERS - 1}",
        f"[budget]\nmax.parameters = {PARAMETERS - 1}.9",
        '[budget]\nmin.macs = "1k"\nmax.parameters = "0.223k"',
    ],
)
def test_every_way_to_write_it_has_its_line(budget: str) -> None:
    (found,) = load(budget).check_budget()
    text = SPEC + budget
    line = next(i for i, line in enumerate(text.splitlines(), start=1) if "parameters" in line)
    assert (found.code, found.place.line) == ("B501", line)
    assert found.place.text == text.splitlines()[line - 1]
    assert found.reason == f'most is in layer "conv": {PARAMETERS} (100.0 %)'


def test_a_budget_that_is_kept() -> None:
    budget = f"[budget]\nmax = {{ parameters = {PARAMETERS}, layers = 1 }}\nmin = {{ receptive_field = 3 }}"
    assert not load(budget).check_budget()


def test_a_variant_has_the_same_budget() -> None:
    budget = f"[budget]\nmax = {{ parameters = {PARAMETERS} }}"
    assert [found.code for found in load(budget, maps=9).check_budget()] == ["B501"]


def test_arguments_replace_limits_of_the_spec() -> None:
    network = load("[budget]\nmax = { parameters = 1, layers = 0 }\nmin = { flops = '1T' }")
    assert [found.message.split(":")[0] for found in network.check_budget()] == ["parameters", "layers", "flops"]
    left = network.check_budget({"parameters": "1k", "layers": 1})
    assert [(found.code, found.place.line) for found in left] == [("B502", 8)]


def test_a_spec_without_a_budget_imports_nothing_for_one() -> None:
    import subprocess
    import sys

    code = "import sys, archcalc; {}; print('archcalc.quantities' in sys.modules)"
    budget = f"archcalc.loads({SPEC + '[budget]'!r} + chr(10) + 'max.layers = 1')"
    for statement, imported in (("str(archcalc.load('lenet5'))", "False"), (budget, "True")):
        done = subprocess.run(
            [sys.executable, "-c", code.format(statement)], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == imported


@pytest.mark.parametrize(
    ("budget", "message", "line"),
    [
        ("budget = 3", "budget = 3: expected a table, got a whole number", 6),
        ("[budget]\nmaxi = { parameters = 3 }", 'unknown key "maxi"', 7),
        ("[budget]\nmax = 3", "max = 3: expected a table, got a whole number", 7),
        ("[budget]\nmax = { params = 3 }", 'did you mean "parameters"', 7),
        ("[budget]\nmax = { macs = 1,  flopz = 3 }", 'did you mean "flops"', 7),
        (
            "[budget.max]\nmacs = 1\nparameters = true",
            "parameters = true: expected a number ≥ 0, or text",
            8,
        ),
        ("[budget.max]\nmacs = 1\nparameters = -1", "parameters = -1: ", 8),
        ("[budget.max]\nmacs = '3Q'", 'macs = "3Q": "3Q" has the unit "Q"; known here: k, M, G, B, T', 7),
        ("[budget.max]\nreceptive_field = '3 px'", "known here: none", 7),
        ("[budget.max]\nmacs = inf", "macs = inf: expected a finite number", 7),
        ("[budget.max]\nmacs = 2024-01-01", "expected a number, text, a list or a table", 7),
        ("[budget]\nmax.macs = 5\nmin.macs = 6", "macs must be 6 at least, and may be 5 at most", 7),
    ],
)
def test_wrong_budgets_have_their_line(budget: str, message: str, line: int) -> None:
    text = refusal(budget)
    assert message in text
    assert f"<string>:{line}\n" in text
    assert text.count("error: ") == 1


def test_all_errors_are_reported_at_once() -> None:
    text = refusal("[budget]\nmax = { parameters = '3Q', macs = 'x' }\nmin = { flops = '1MiB' }")
    assert text.count("error: ") == 3
