"""The text of the page, and the command that writes it."""

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser
from itertools import pairwise
from math import isnan
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from click.testing import CliRunner, Result

import archcalc
from archcalc.cli import cli
from archcalc.errors import UsageError
from archcalc.numbers.units import mebibytes
from archcalc.page import content
from archcalc.page.bench import BenchRow, read_bench
from archcalc.page.page import render_page
from archcalc.page.plots import _stack, plot_depth

BENCH = """{"rows": [
  {"network": "<b>A</b>", "batch": 8, "dtype": "float32", "status": "measured",
   "seconds": {"median": 0.0123, "ci_low": 0.012, "ci_high": 0.0125}},
  {"network": "B", "batch": 8, "dtype": "float32", "status": "out of memory", "seconds": null}
]}"""


@pytest.fixture
def plots() -> None:
    """Draws plots only for tests of them: Matplotlib takes a second for each network."""


@pytest.fixture(autouse=True)
def _no_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "plots" not in request.fixturenames:
        monkeypatch.setattr(content, "plot_depth", lambda *_: "<svg></svg>")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["report", *arguments], catch_exceptions=False)


@pytest.mark.every_spec(few={"gcn_cora", "lenet5", "m5", "resnet18"})
@pytest.mark.usefixtures("plots")
@pytest.mark.parametrize("name", archcalc.shipped_specs())
def test_every_shipped_spec_has_a_page_that_is_small_enough(name: str) -> None:
    network = archcalc.load(name)
    page = render_page({name: network})
    assert len(page.encode()) < 2_000_000
    assert page.count('<tbody class="layer') == len(network.layers)
    assert page.count('class="explanation"') == len(network.layers)


@pytest.mark.usefixtures("plots")
def test_a_network_without_layers_has_a_page() -> None:
    network = archcalc.loads('name = "x"\ninputs.image = [1]\nlayers = [{ type = "relu", when = false }]')
    page = render_page({"x": network})
    assert "archcalc check finds nothing odd" in re.sub(r"<[^>]*>", "", page)
    assert "Over the depth" not in page


def test_many_networks_leave_out_details(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MOST_BYTES", 5_000)
    monkeypatch.setattr(content, "MOST_ROWS", 20)
    page = render_page({"one": archcalc.load("lenet5"), "two": archcalc.load("lenet5")})
    assert page.count('<tbody class="layer') == 20
    assert "4 more layers have no room on this page" in page
    explained = page.count('class="explanation"')
    assert 0 < explained < 12
    assert f"{12 - explained} layers have no explanation here" in page


@pytest.mark.usefixtures("plots")
def test_the_page_is_the_same_again_and_asks_for_nothing() -> None:
    networks = {"lenet5": archcalc.load("lenet5")}
    page = render_page(networks)
    assert page == render_page(networks)
    addresses = re.findall(r"\b(?:src|href|action|poster|srcset)=.(.)|url\((.)", page)
    assert {first or second for first, second in addresses} == {"#"}
    assert "http:" not in page
    assert "https:" not in page


def test_the_policy_allows_the_one_script() -> None:
    page = render_page({"lenet5": archcalc.load("lenet5")})
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    assert script is not None
    digest = b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in page
    assert page.index("Content-Security-Policy") < page.index("<style>")


@pytest.mark.usefixtures("plots")
def test_elements_are_closed() -> None:
    class Parser(HTMLParser):
        open_elements: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "br"):
                self.open_elements.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open_elements.pop() == tag

        def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            pass

    parser = Parser()
    parser.feed(render_page({"a": archcalc.load("m5"), "b": archcalc.load("lenet5")}))
    assert parser.open_elements == []


def test_numbers_are_those_of_the_network() -> None:
    network = archcalc.load("lenet5")
    page = render_page({"lenet5": network})
    for number in (network.totals.parameters, network.totals.macs, network.count("ptflops").total):
        assert f"{number:,}" in page
    assert network.memory().peak == max(int(order) for order in re.findall(r'data-order="(\d+)">[\d.,]+ MiB', page))


@pytest.mark.usefixtures("plots")
def test_weights_and_values_are_separate() -> None:
    """In the totals, in the plot, and in a column of the table; together they are the memory."""
    network = archcalc.load("lenet5")
    memory = network.memory()
    page = render_page({"lenet5": network})
    weights, values = mebibytes(memory.fixed), mebibytes(memory.peak - memory.fixed)
    assert f"<dt>Weights and buffers</dt><dd>{weights}</dd>" in page
    assert f"<dt>Values at the peak</dt><dd>{values}</dd>" in page
    assert f">weights and buffers, {weights}<" in page
    assert f">values, {values} at the peak<" in page
    row = page[page.index('<tr data-layers="0">') :].partition("</tr>")[0]
    alone, together = map(int, re.findall(r'data-order="(\d+)"', row)[-2:])
    assert (alone + memory.fixed, together) == (memory.layers[0].live, memory.layers[0].live)


def test_areas_are_stacked() -> None:
    """The path of the upper one begins at the heights of the lower one."""
    drawn: list[tuple[list[float], Any]] = []

    class Axes:
        def stairs(self, heights: list[float], _edges: list[float], baseline: Any, **_: Any) -> None:
            drawn.append((heights, baseline))

        def set_ylim(self, bottom: int) -> None:
            assert bottom == 0

    _stack(Axes(), {"low": [3, 3], "high": [1, None]})
    assert drawn[0] == ([3, 3], 0)
    assert drawn[1][1] == [3, 3]
    assert drawn[1][0][0] == 4
    assert isnan(drawn[1][0][1])


@pytest.mark.usefixtures("plots")
def test_sections_are_in_order() -> None:
    page = render_page({"lenet5": archcalc.load("lenet5")}, read_bench_text(BENCH))
    wanted = ["title-0", "findings-0", "plots-0", "diagram-0", "layers-0", "conventions-0", "bench"]
    assert re.findall(r'<h[12] id="([^"]*)"', page) == wanted
    assert page.index("<nav") < page.index("<dl>") < page.index('id="findings-0"')
    assert re.findall(r'href="#([^"]*)">', page[: page.index("<dl>")]) == wanted[1:]


def test_the_contents_count_findings() -> None:
    layers = '[{ type = "conv2d", out_channels = 4, kernel_size = 3 }, { type = "batch_norm" }]'
    network = archcalc.loads(f'name = "x"\nlayers = {layers}\n[inputs]\nx = [3, 8, 8]\n')
    assert f">Findings ({len(network.check())})</a>" in render_page({"x": network})


def test_a_peak_that_is_a_lower_bound_may_be_elsewhere() -> None:
    attention = '{ name = "mix", type = "multi_head_attention", num_heads = 1 }'
    page = render_page({"x": archcalc.loads(f'name = "x"\ninputs.x = [4, 16]\nlayers = [{attention}]', training=True)})
    assert re.search(r"≥ [\d.]+ MiB, this much in layer mix, forward pass", page)
    assert re.search(r"\d MiB, in layer \w+, forward pass", render_page({"lenet5": archcalc.load("lenet5")}))


def test_findings_are_there() -> None:
    layers = '[{ type = "conv2d", out_channels = 4, kernel_size = 3 }, { type = "batch_norm" }]'
    network = archcalc.loads(f'name = "x"\nlayers = {layers}\n[inputs]\nx = [3, 8, 8]\n')
    found = network.check()
    assert found
    page = render_page({"x": network})
    assert all(f"<strong>{finding.code}</strong>" in page for finding in found)


def test_many_findings_are_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SHOWN_FINDINGS", 1)
    layers = ", ".join(['{ type = "conv2d", out_channels = 4, kernel_size = 3 }, { type = "batch_norm" }'] * 3)
    network = archcalc.loads(f'name = "x"\nlayers = [{layers}]\n[inputs]\nx = [3, 20, 20]\n')
    page = render_page({"x": network})
    assert f"{len(network.check()) - 1} more: archcalc check lists them" in page


def test_an_unknown_value_is_a_gap_in_the_plot() -> None:
    network = archcalc.load("gcn_cora")
    assert plot_depth(network, "x", network.memory()).startswith("<svg")


def test_a_file_is_written_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert invoke("lenet5", "-o", str(path)).exit_code == 0
    assert path.read_text("utf-8") == render_page({"lenet5": archcalc.load("lenet5")})
    with pytest.raises(UsageError, match="--force"):
        invoke("lenet5", "-o", str(path))
    assert invoke("lenet5", "lenet5_1998", "-o", str(path), "--force").exit_code == 0
    assert "Side by side" in path.read_text("utf-8")


def test_a_large_page_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert invoke("lenet5", "-o", str(tmp_path / "small.html")).stderr == ""
    monkeypatch.setattr("archcalc.cli.report.LARGE", 1000)
    assert "fewer specs make it smaller" in invoke("lenet5", "-o", str(tmp_path / "large.html")).stderr


def test_a_page_needs_an_output_file(tmp_path: Path) -> None:
    assert invoke("lenet5").exit_code == 2
    for name in ("page.pdf", "page", "-"):
        with pytest.raises(UsageError, match=r"has another ending; name a file that ends in \.html"):
            invoke("lenet5", "-o", str(tmp_path / name))
    assert invoke("lenet5", "-o", "/dev/null").exit_code == 0


def test_findings_have_the_name_of_their_file_alone(tmp_path: Path) -> None:
    """A page is for others, so folders of this machine are left out."""
    spec = tmp_path / "odd.toml"
    layers = '[{ type = "conv2d", out_channels = 4, kernel_size = 3 }, { type = "linear", out_features = 2 }]'
    spec.write_text(f'name = "odd"\ninputs.image = [3, 8, 8]\nlayers = {layers}', "utf-8")
    page = render_page({"odd": archcalc.load(spec)})
    assert re.search(r">odd\.toml:\d+<", page)
    assert str(tmp_path) not in page


def test_fields_in_pixels_and_hops_are_separate() -> None:
    page = render_page({name: archcalc.load(name) for name in ("lenet5", "gcn_cora")})
    row = page[page.index('<th scope="row">Field</th>') :].partition("</tr>")[0]
    assert re.findall(r'number">([^<]*)<', row) == ["16×16", "2 hops"]


def test_measured_times_are_shown(tmp_path: Path) -> None:
    times, path = tmp_path / "times.json", tmp_path / "page.html"
    times.write_text(BENCH)
    assert invoke("lenet5", "-o", str(path), "--bench", str(times)).exit_code == 0
    page = path.read_text("utf-8")
    result = invoke("lenet5", "-o", str(path), "--bench", str(times), "--force")
    assert result.stderr == f"note: {times} has no times of LeNet-5\n"
    times.write_text(BENCH.replace('"B"', '"LeNet-5"'))
    assert invoke("lenet5", "-o", str(path), "--bench", str(times), "--force").stderr == ""
    for text in ("&lt;b&gt;A&lt;/b&gt;", "12.3 ms", "12.0–12.5 ms", "out of memory"):
        assert text in page


def bench_with(median: str) -> str:
    return BENCH.replace("0.0123", median)


@pytest.mark.parametrize("median", ["1e999", "Infinity", "NaN", "-1", "1e300", "1" * 401])
def test_wrong_times_are_refused(tmp_path: Path, median: str) -> None:
    (tmp_path / "times.json").write_text(bench_with(median))
    with pytest.raises(UsageError, match="is no output of archcalc bench --format json"):
        invoke("lenet5", "-o", str(tmp_path / "page.html"), "--bench", str(tmp_path / "times.json"))


@pytest.mark.parametrize("names", [["unet"], ["lenet5", "m5"]])
def test_headings_skip_no_level(names: list[str]) -> None:
    bench = read_bench_text(BENCH)
    page = render_page({name: archcalc.load(name) for name in names}, bench)
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def read_bench_text(text: str) -> tuple[BenchRow, ...]:
    with NamedTemporaryFile("w", suffix=".json") as stream:
        stream.write(text)
        stream.flush()
        return read_bench(stream.name)


def test_a_block_has_the_memory_of_all_its_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers that have no row on the page count, too."""
    monkeypatch.setattr(content, "MOST_ROWS", 2)
    network = archcalc.loads(
        """
    name = "t"
    inputs.x = [1, 8, 8]
    layers = [{ name = "b", type = "three" }]
    [blocks.three]
    layers = [
      { type = "relu" }, { type = "relu" }, { type = "conv2d", out_channels = 64, kernel_size = 3, padding = 1 },
    ]
    """
    )
    page = render_page({"t": network})
    row = page[page.index('<th scope="row">b</th>') :].partition("</tr>")[0]
    assert f'data-order="{network.memory().peak}"' in row


def test_blocks_are_collapsed_once_for_each_level(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int | None] = []
    collapsed = archcalc.Network.collapsed

    def counted(self: archcalc.Network, depth: int | None = None, counting: str | None = None) -> Any:
        calls.append(depth)
        return collapsed(self, depth, counting)

    monkeypatch.setattr(archcalc.Network, "collapsed", counted)
    render_page({"resnet50": archcalc.load("resnet50")})
    assert sorted(depth for depth in calls if depth) == [1, 2, 3]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"rows": [1]}', '{"rows": [{"network": "a"}]}', "[" * 100_000])
def test_files_that_are_no_benchmark_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "times.json").write_text(text)
    with pytest.raises(UsageError, match="is no output of archcalc bench --format json"):
        invoke("lenet5", "-o", str(tmp_path / "page.html"), "--bench", str(tmp_path / "times.json"))
    with pytest.raises(UsageError, match="cannot read"):
        invoke("lenet5", "-o", str(tmp_path / "page.html"), "--bench", str(tmp_path / "none.json"))
    assert not (tmp_path / "page.html").exists()


@pytest.mark.usefixtures("plots")
@pytest.mark.parametrize("batch", [1, 10**90])
def test_numbers_beyond_all_prefixes_have_a_page(batch: int) -> None:
    size = 10**18 - 1
    layer = f'type = "conv2d", out_channels = {size}, kernel_size = [{size}, {size}], padding = {size}'
    spec = f'name = "big"\nlayers = [{{ {layer} }}]\n[inputs]\nx = [{size}, {size}, {size}]\n'
    network = archcalc.loads(spec, batch=batch)
    assert f"{network.totals.macs:,}" in render_page({"big": network, "lenet5": archcalc.load("lenet5")})


def test_very_many_outputs_are_not_drawn() -> None:
    names = [f"r{number}" for number in range(500)]
    layers = ", ".join(f'{{ name = "{name}", type = "relu", input = "x" }}' for name in names)
    network = archcalc.loads(f'name = "x"\ninputs.x = [3]\noutputs = {names}\nlayers = [{layers}]'.replace("'", '"'))
    message = "501 inputs and outputs are too many for a picture (at most 400)"
    with pytest.raises(archcalc.UsageError, match=re.escape(message)):
        network.to_svg()
    assert message in render_page({"x": network})
