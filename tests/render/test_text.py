"""A table fits the terminal, and shows text from a spec as text."""

import pytest
from written import written

import archcalc
from archcalc.errors import Diagnostic, Place
from archcalc.render.document import (
    BYTES,
    COUNT,
    NAME,
    Column,
    Document,
    Fact,
    Facts,
    Findings,
    Lines,
    Math,
    NumberText,
    Row,
    Table,
)
from archcalc.render.latex import escaped
from archcalc.render.style import Style
from archcalc.render.write import write

LONG = "a_very_long_name_of_a_layer_that_nobody_wants_to_read_in_full_but_somebody_wrote_it_that_way"
HOSTILE = """
name = "<script>alert(1)</script>"
source = "\\u001b[31mred"
inputs."i|<b>" = [3, 8, 8]
layers = [
  { name = "<script>", type = "relu" },
  { name = "pipe | pipe", type = "relu" },
  { name = "\\\\input{x} & 5 % $", type = "relu" },
  { name = "line\\nbreak \\u001b[2J", type = "relu" },
]
"""


def long_named(count: int = 1) -> archcalc.Network:
    layers = ",".join(f'{{ name = "{LONG}_{number}", type = "relu" }}' for number in range(count))
    return archcalc.loads(f'name = "x"\ninputs.i = [3, 800, 800]\nlayers = [{layers}]')


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120, 200])
def test_fits_the_width(width: int) -> None:
    text = written(long_named(3).summary, "table", style=Style(width))
    assert max(map(len, text.splitlines())) <= width
    assert "3×800×800" in text
    assert "_2 " in text  # the end distinguishes a shortened name from its neighbours


def test_numbers_are_never_shortened() -> None:
    text = written(archcalc.load("stacked_3x3").summary, "table", style=Style(46))
    assert "conv.0  64×56×56      36,864  115,605,504" in text
    assert "(no room for: Type, Field, Jump)" in text


def test_wide_letters_take_two_columns() -> None:
    layers = '{ name = "日本語", type = "relu" }, { name = "abc", type = "relu" }'
    text = written(archcalc.loads(f'name = "x"\ninputs.i = [3]\nlayers = [{layers}]').summary, "plain")
    wide, narrow = (line for line in text.splitlines() if "relu" in line)
    assert wide.index("relu") + 3 == narrow.index("relu")


def test_without_a_width_nothing_is_shortened() -> None:
    assert f"{LONG}_0" in written(long_named().summary, "plain")


def test_html_escapes_names() -> None:
    text = written(archcalc.loads(HOSTILE).summary, "html")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_markdown_escapes_names() -> None:
    text = written(archcalc.loads(HOSTILE).summary, "markdown")
    assert "pipe \\| pipe" in text
    assert "\\<script\\>" in text
    assert {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("| ")} == {8}


def test_latex_escapes_names() -> None:
    assert r"\textbackslash{}input\{x\} \& 5 \% \$" in written(archcalc.loads(HOSTILE).summary, "latex")


@pytest.mark.parametrize("format_name", ["table", "plain", "markdown", "html", "latex"])
def test_control_characters_never_reach_the_terminal(format_name: str) -> None:
    text = written(archcalc.loads(HOSTILE).summary, format_name)
    assert "\x1b" not in text
    assert "line�break �[2J" in text or format_name in ("markdown", "latex")


def test_notebooks_show_the_table() -> None:
    network = archcalc.load("lenet5")
    assert network._repr_html_().startswith("<p><strong>LeNet-5</strong>")
    assert "61,706" in network._repr_html_()
    assert network._repr_html_().endswith(network.to_svg())
    assert str(network).startswith("LeNet-5")
    assert repr(network) == "Network('LeNet-5', 12 layers, 61,706 parameters)"


UNKNOWN = """
name = "x"
inputs.nodes = [5, 3]
inputs.edges = [5, 5]
layers = [{ name = "<g>|", type = "gcn_conv", inputs = ["nodes", "edges"], out_features = 2 }]
"""


@pytest.mark.parametrize(
    ("format_name", "name"),
    [
        ("table", "? <g>|: "),
        ("plain", "? <g>|: "),
        ("markdown", r"? \<g\>\|: "),
        ("latex", r"? \textless{}g\textgreater{}\textbar{}: "),
        ("html", "<p>? &lt;g&gt;|: "),
    ],
)
def test_every_table_has_the_reasons_of_unknown_numbers(format_name: str, name: str) -> None:
    text = written(archcalc.loads(UNKNOWN).summary, format_name)
    assert f"{name}the adjacency input does not say its number of nonzeros at this size" in text
    assert (r"$\geq$ 0" if format_name == "latex" else "≥ 0") in text


@pytest.mark.parametrize(("size", "center"), [(12_345_678, "6172838.5"), (12_345_679, "6172839"), (2, "0.5")])
def test_centers_keep_all_their_digits(size: int, center: str) -> None:
    spec = f'name = "x"\ninputs.i = [1, 20_000_000]\nlayers = [{{ type = "max_pool1d", kernel_size = {size} }}]'
    assert written(archcalc.loads(spec).summary, "csv", ["center"]) == f"center\n{center}"


def test_centers_before_the_first_pixel() -> None:
    layers = '{ type = "zero_pad", padding = 1 }, { type = "avg_pool1d", kernel_size = 2 }'
    spec = f'name = "x"\ninputs.i = [1, 20]\nlayers = [{layers}]'
    assert written(archcalc.loads(spec).summary, "csv", ["center"]).splitlines()[-1] == "-0.5"


@pytest.mark.parametrize("format_name", ["plain", "table", "markdown"])
def test_a_column_named_twice_is_printed_twice(format_name: str) -> None:
    lines = written(archcalc.load("lenet5").summary, format_name, ("name", "macs", "name")).splitlines()
    words = [line.replace("|", " ").split() for line in lines]
    assert ["Layer", "MACs", "Layer"] in words
    assert ["C1", "117,600", "C1"] in words


def test_the_head_names_twenty_inputs() -> None:
    inputs = ", ".join(f"x{number} = [3]" for number in range(23))
    network = archcalc.loads(f'name = "x"\ninputs = {{ {inputs} }}\nlayers = [{{ type = "relu", input = "x0" }}]')
    head = str(network).split("\n")[1]
    assert head.endswith("x18 3, x19 3, and 3 more · batch 1")


def test_names_in_latex_are_no_options() -> None:
    layers = '{ name = "[1pt]", type = "relu" }, { name = "*", type = "relu" }'
    network = archcalc.loads(f'name = "x"\ninputs.x = [3]\nlayers = [{layers}]')
    rows = written(network.summary, "latex").split("\n")
    assert any(row.startswith("{[}1pt] &") for row in map(str.strip, rows))
    assert any(row.startswith("{*} &") for row in map(str.strip, rows))


def test_lines_in_markdown_start_no_list() -> None:
    lines = ["+ all", "- a", "1. b", "# c", "1.5 d", "-2", "---"]
    document = Document("", list, list, parts=[Lines(lines, wrapped=True)])
    assert write(document, "markdown").split("\n\n") == ["\\+ all", "\\- a", "1\\. b", "\\# c", "1.5 d", "-2", "\\---"]


def test_places_in_markdown_end_no_code() -> None:
    found = Diagnostic("m", Place("a``b`.toml", 2))
    text = write(Document("", list, list, parts=[Findings([found])]), "markdown")
    assert text == "- **error** m (``` a``b`.toml:2 ```)"


def test_short_values_are_printable() -> None:
    document = Document("", list, list, parts=[Facts([Fact("a", 1, short="\x1b[2J")])])
    assert write(document, "plain") == "a  1  �[2J"


def test_lines_in_latex_are_no_options() -> None:
    document = Document("", list, list, parts=[Lines(["a", "[1pt]", "*"])])
    assert write(document, "latex").endswith("a\\\\\n{[}1pt]\\\\\n{*}")


def test_text_in_latex_is_neither_a_formula_nor_a_number() -> None:
    """The type of a cell decides, not its text."""
    columns = [Column("Name", NAME), Column("Count", COUNT), Column("Formula")]
    rows = [Row(["$\\input{x}$", "48,48", Math("x²", "x^2")]), Row(["b", NumberText("+1,234"), "$$"])]
    text = write(Document("", list, list, parts=[Table(columns, rows)]), "latex")
    assert "  \\$\\textbackslash{}input\\{x\\}\\$ & {48,48} & $x^2$ \\\\\n" in text
    assert "  b & +1234 & \\$\\$ \\\\\n" in text


def test_latex_joins_no_letters() -> None:
    names = {"a--b---c": "a-{}-b-{}-{}-c", "``x''": "`{}`x'{}'", "?`!`": "?{}`!{}`", "a-b": "a-b"}
    assert {name: escaped(name) for name in names} == names


def test_latex_facts_are_numbers_for_siunitx() -> None:
    facts = [Fact("a", 1234, unit="bytes", short="1 KiB"), Fact("b", "1,234"), Fact("c", 3 * 2**20, BYTES)]
    text = write(Document("", list, list, parts=[Facts(facts)]), "latex")
    assert r"a & \num{1234} bytes & 1 KiB \\" in text
    assert r"b & 1,234 &  \\" in text
    assert r"c & \num{3.00} MiB &  \\" in text
