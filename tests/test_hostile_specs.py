"""No spec costs a command much time or memory: work is linear in the layers, and what is not is left out."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from written import written

import archcalc
from archcalc.analysis import explain_sums, neuron_field
from archcalc.cli import cli
from archcalc.diagram import volume_row
from archcalc.errors import UsageError
from archcalc.page import content
from archcalc.page.page import render_page

SECONDS, MEMORY = 60, 2 * 2**30  # seconds on a busy CPU; 15 on an idle one
HEAD = 'name = "x"\ninputs.image = [4, 9, 9]\n'
CONV = '{ type = "conv2d", out_channels = 4, kernel_size = 3, padding = 1'


def chain(count: int) -> str:
    conv = CONV.replace("out_channels = 4", 'out_channels = "widths[index % 3]"')
    return f"{HEAD}variables.widths = [4, 8, 3]\nlayers = [{conv}, repeat = {count} }}]"


def wide(count: int) -> str:
    arms = ",\n".join(f'{CONV}, name = "a{number}", input = "image" }}' for number in range(count))
    names = ", ".join(f'"a{number}"' for number in range(count))
    return f'{HEAD}layers = [{arms},\n{{ type = "add", inputs = [{names}] }}]'


def nested(count: int, depth: int = 48) -> str:
    """Nested blocks with long names around layers."""
    name = "n" * (2_000_000 // (depth * max(count, 1000)))
    blocks = [f'[blocks.b{n}]\nlayers = [{{ name = "{name}", type = "b{n + 1}" }}]' for n in range(depth - 1)]
    inner = f'[blocks.b{depth - 1}]\nlayers = [{{ type = "relu", repeat = {count} }}]'
    return "\n".join([f'{HEAD}layers = [{{ type = "b0" }}]', *blocks, inner])


def residual(count: int) -> str:
    return (
        f'{HEAD}layers = [{{ type = "unit", repeat = {count} }}]\n'
        f'[blocks.unit]\nlayers = [{CONV} }}, {{ type = "relu" }}, {{ type = "add", inputs = ["relu", "input"] }}]'
    )


def calls(arguments: list[str]) -> int:
    """The number of calls and generator steps of a command, which is reproducible, unlike seconds."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        found = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    finally:
        sys.setprofile(None)
    assert found.exit_code in (0, 1), found.output
    return count


COMMANDS = (
    "summary",
    "memory",
    "memory --training",
    "check",
    "roofline --device h100",
    "reconcile",
    "explain",
    "range",
    "export -o {folder}/{count}.py",
)
FEW = [(wide, "memory --training"), (chain, "summary")]
MORE = [(spec, command) for spec in (chain, wide, residual) for command in COMMANDS]


@pytest.mark.parametrize(
    ("spec", "command"),
    [*FEW, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in MORE if pair not in FEW)],
)
def test_work_grows_with_the_layers(spec: Callable[[int], str], command: str, tmp_path: Path) -> None:
    name, *options = command.split()
    taken = {}
    for count in (5, 200, 400):  # the first fills caches
        path = tmp_path / f"{count}.toml"
        path.write_text(spec(count), "utf-8")
        taken[count] = calls([name, str(path), *(part.format(folder=tmp_path, count=count) for part in options)])
    assert taken[400] < 2.1 * taken[200], taken


# what is left out, with a note


def test_a_large_page_notes_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MOST_LAYERS", 9)
    whole, large = (render_page({"x": archcalc.loads(chain(count))}) for count in (9, 10))
    assert "Left out" not in whole
    for command in ("diagram", "memory", "check", "reconcile"):
        assert f"Left out on a page of more than 20,000 layers: archcalc {command} " in large
    assert "Peak of memory" not in large
    assert '<tbody class="layer"' in large


def test_long_names_make_no_large_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MOST_LETTERS", 20_000)
    network = archcalc.loads(nested(12, depth=12))
    page = render_page({"x": network})
    rows = page.count('<tbody class="layer"')
    assert 0 < rows < 12
    assert f"{12 - rows} more layers have no room on this page" in page


def test_layers_far_before_a_unit_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    network = archcalc.loads(chain(20))
    whole = network.receptive_field()
    assert (len(whole.layers), whole.left_out) == (20, 0)
    monkeypatch.setattr(neuron_field, "MOST_WALKED", 19 + 18)
    found = network.receptive_field()
    assert found.layers == whole.layers[-3:]
    assert "17 layers before these are left out" in written(found)
    assert found.to_dict()["left_out"] == found.left_out == 17


def test_volumes_need_few_layers_or_collapsed_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_row, "MOST_PARTS", 10)
    flat = f"{HEAD}layers = [{', '.join([f'{CONV} }}'] * 11)}]"
    assert archcalc.loads(residual(10)).to_volumes_svg().startswith("<svg")
    with pytest.raises(UsageError, match="at most 10 layers and collapsed blocks; collapse blocks with a depth"):
        archcalc.loads(residual(10)).to_volumes_svg(depth=0)
    with pytest.raises(UsageError, match="at most 10 layers and collapsed blocks; put layers into blocks"):
        archcalc.loads(flat).to_volumes_svg()


def test_only_the_first_of_very_many_layers_are_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(explain_sums, "MOST", 3)
    path = tmp_path / "chain.toml"
    path.write_text(chain(5), "utf-8")
    found = CliRunner().invoke(cli, ["explain", str(path)])
    assert found.output.count("  conv2d  ") == 3
    assert "2 more are left out: name them, as in layer4.*" in found.output


# full size


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("report {spec} -o {page}", chain(200_000)),
        ("report {spec} -o {page}", nested(2_000)),
        ("report {spec} -o {page}", wide(20_000)),
        ("memory {spec} --training", wide(20_000)),
        ("diagram {spec} --volumes", residual(60_000)),
    ],
)
def test_full_size(command: str, text: str, tmp_path: Path) -> None:
    spec, page = tmp_path / "x.toml", tmp_path / "x.html"
    spec.write_text(text, "utf-8")
    arguments = command.format(spec=spec, page=page).split()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    done = subprocess.run(
        [sys.executable, "-m", "archcalc", *arguments], capture_output=True, check=False, preexec_fn=limit
    )
    assert done.returncode in (0, 2), done.stderr[-2000:]
    assert b"Traceback" not in done.stderr
    assert not page.exists() or page.stat().st_size < 10_000_000


def test_headers_and_shapes_of_any_length_make_short_remedies() -> None:
    long = "k" * 100_000
    for text in (
        f'name = "x"\n[inputs.{long}]\nshape = [1]\nlayers = [{{ type = "relu" }}]',
        f'name = "x"\n{long} = {[1] * 50_000}\nlayers = [{{ type = "relu" }}]',
    ):
        with pytest.raises(archcalc.SpecError) as error:
            archcalc.loads(text)
        assert len(str(error.value)) < 2_000
