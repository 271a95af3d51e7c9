"""The documentation: its examples are run, its specs loaded, its generated parts current."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from documents import DOCS, PAGES, ROOT, blocks, current, load_generator
from references import memory_table, reference_table

import archcalc
from archcalc import api
from archcalc.analysis.budget import OVER, UNDECIDED, UNDER
from archcalc.analysis.lint import RULES
from archcalc.cli import COMMANDS
from archcalc.devices import find_device

GENERATOR = load_generator()
TABLES = GENERATOR.TABLES | {"references": reference_table, "memory": memory_table}
WRITTEN = [page for page in PAGES if page not in {DOCS / path for path in GENERATOR.pages()}]  # by hand


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def made_anew(
    program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pytestconfig: pytest.Config
) -> Callable[[str, bool], str]:
    """Returns a page with its current outputs and tables, run in a folder that contains the pictures."""
    (tmp_path / "pictures").symlink_to(ROOT / "pictures")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    overwrite = pytestconfig.getoption("--overwrite-golden")

    def make(text: str, slow: bool) -> str:
        return GENERATOR.with_tables(current(text, program, tmp_path, slow or overwrite), TABLES)

    return make


def check(page: Path, text: str, overwrite: bool) -> None:
    if overwrite:
        page.write_text(text, "utf-8")
    assert page.read_text("utf-8") == text


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_every_output_is_current(
    page: Path, made_anew: Callable[[str, bool], str], pytestconfig: pytest.Config
) -> None:
    """All but the slow ones; with --overwrite-golden, those as well."""
    check(page, made_anew(page.read_text("utf-8"), False), pytestconfig.getoption("--overwrite-golden"))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in WRITTEN if "<!-- slow -->" in page.read_text("utf-8")], ids=name)
def test_every_slow_output_is_current(
    page: Path, made_anew: Callable[[str, bool], str], pytestconfig: pytest.Config
) -> None:
    check(page, made_anew(page.read_text("utf-8"), True), pytestconfig.getoption("--overwrite-golden"))


def test_a_wrong_output_is_found(made_anew: Callable[[str, bool], str]) -> None:
    wrong = (
        "```console\n$ archcalc specs lenet5\nLeNet-6\n```\n\n```pycon\n>>> 1 + 1\n3\n```\n\n<!-- rules -->\n| none |\n"
    )
    made = made_anew(wrong, False)
    assert "LeNet-5\n" in made
    assert ">>> 1 + 1\n2\n" in made
    assert "| [W101](W101-dropped-pixels.md) |" in made


TOML = [(page, block) for page in PAGES for block in blocks(page.read_text("utf-8")) if block.language == "toml"]


@pytest.mark.parametrize(("page", "block"), TOML, ids=[f"{name(page)}-{i}" for i, (page, _) in enumerate(TOML)])
def test_every_toml_block_is_valid(page: Path, block: Any, tmp_path: Path) -> None:
    """Complete specs and devices load, and specs that a page marks as wrong do not."""
    data = tomllib.loads(block.body)
    if block.note == "wrong":
        with pytest.raises(archcalc.SpecError, match=r"\w"):
            archcalc.loads(block.body)
    elif {"layers", "inputs"} <= data.keys():
        assert archcalc.loads(block.body).layers
        assert archcalc.loads(block.body, training=True).layers
    elif "operations_per_second" in data:
        (tmp_path / "device.toml").write_text(block.body, "utf-8")
        assert find_device(str(tmp_path / "device.toml")).peaks.known() == data["operations_per_second"]


@pytest.mark.parametrize("path", GENERATOR.pages())
def test_a_generated_page_is_current(path: str, pytestconfig: pytest.Config) -> None:
    check(DOCS / path, GENERATOR.pages()[path], pytestconfig.getoption("--overwrite-golden"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page_with_its_options(command: str) -> None:
    text = (DOCS / "commands" / f"{command}.md").read_text("utf-8")
    assert text.startswith(f"# archcalc {command}\n")
    assert f"```console\n$ archcalc {command} --help\n" in text
    for section in ("Example", "Options", "Formats", "Exit codes", "Caveats"):
        assert f"\n## {section}\n" in text


RULE_PAGES = {rule.code: DOCS / "rules" / f"{rule.code}-{rule.name}.md" for rule in RULES}
RULE_PAGES |= {page.name[:4]: page for page in (DOCS / "rules").glob("B*.md")}


def test_every_rule_has_a_page() -> None:
    assert {page.name for page in RULE_PAGES.values()} == {page.name for page in (DOCS / "rules").glob("[A-Z]*.md")}
    assert {OVER, UNDER, UNDECIDED} <= RULE_PAGES.keys()


@pytest.mark.parametrize("code", RULE_PAGES)
def test_the_example_of_a_rule_breaks_it_and_the_remedy_does_not(code: str) -> None:
    text = RULE_PAGES[code].read_text("utf-8")
    example, *_, remedy = (block.body for block in blocks(text) if block.language == "toml")
    assert code in codes(example)
    assert code not in codes(remedy)
    for section in ("What it finds", "Why it matters", "Example", "Remedy"):
        assert f"\n## {section}\n" in text


def codes(spec: str) -> set[str | None]:
    network = archcalc.loads(spec)
    return {found.code for found in [*network.check(), *network.check_budget()]}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        # The hooks of MkDocs make pages of these files of the root.
        assert (page.parent / link).exists(), link


def test_two_commands_set_everything_up() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    commands = [block.body for block in blocks(text) if block.language == "sh"]
    assert len(commands) == 1
    assert len(commands[0].strip().splitlines()) == 2


def test_one_extra_has_all_others() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    named = re.fullmatch(r"archcalc\[(.*)\]", everything)[1].split(",")
    assert sorted(named) == sorted(set(extras) - {"all", "docs", "test"})
    text = (DOCS / "commands" / "index.md").read_text("utf-8").partition("\n## Extras\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, flags=re.M)) == sorted(named)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 8_000


def test_the_reference_has_every_public_name_and_result() -> None:
    text = (DOCS / "api.md").read_text("utf-8")
    documented = {path.rpartition(".")[2] for path in re.findall(r"^::: (.*)$", text, flags=re.M)}
    members = [getattr(api, public) for public in api.__all__]
    members += [member for owner, member in vars(archcalc.Network).items() if not owner.startswith("_")]
    calls = [getattr(member, "fget", member) for member in members]
    returned = {str(getattr(call, "__annotations__", {}).get("return", "")) for call in calls}
    classes = {word.rpartition(".")[2] for text in returned for word in re.findall(r"(?<!<)\b[\w.]*[A-Z]\w+", text)}
    assert {*api.__all__, *classes} - {"Any", "None", "Shape", "BuiltNetwork"} <= documented


JSON = {
    "summary": "summary lenet5 --counting fvcore",
    "reconcile": "reconcile lenet5 --target 416k",
    "formula": "formula lenet5 --input image=1xHxW",
    "compare": "compare stacked_3x3 single_7x7 --counting macs",
    "receptive-field": "receptive-field lenet5 --layer S4",
}


@pytest.mark.parametrize("command", JSON)
def test_json_has_the_fields_that_the_page_lists(command: str, program: Callable[..., Any]) -> None:
    text = (DOCS / "commands" / f"{command}.md").read_text("utf-8").partition("\n## Formats\n")[2]
    rows = [re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| (`[^|]*) \|", text, flags=re.M)]
    printed = program(*JSON[command].split(), "--format", "json").stdout
    assert rows
    assert {field for row in rows for field in row} <= set(re.findall(r'"(\w+)":', printed))
