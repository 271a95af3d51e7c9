"""Formats with total rows lose no fact beside them."""

import re
from html import unescape

import pytest
from written import written

import archcalc
from archcalc.render import html, latex, markdown
from archcalc.render.cells import fact_text
from archcalc.render.document import Document, Fact, Facts, Table
from archcalc.render.result import Result

LENET = archcalc.load("lenet5")
RESULTS: dict[str, Result] = {
    "summary": LENET.summary,
    "summary by fvcore": LENET.collapsed(counting="fvcore"),
    "memory": LENET.memory(training=True),
    "roofline": LENET.roofline("a100"),
    "range": LENET.input_ranges(),
    "compare": archcalc.compare({"a": LENET, "b": archcalc.load("lenet5_1998")}),
    "largest batch": LENET.largest_batch("1GiB"),
}
ESCAPES = {"markdown": markdown.escaped, "latex": latex.escaped, "html": html.escaped}


def facts_of(document: Document) -> list[Fact]:
    return [fact for part in document.parts if isinstance(part, Facts) for fact in part.facts]


def totals_of(document: Document) -> list[tuple[str, object]]:
    tables = [part for part in document.parts if isinstance(part, Table)]
    return [
        (column.header, cell)
        for table in tables
        for row in table.totals
        for column, cell in zip(table.columns, row.cells, strict=True)
    ]


@pytest.mark.parametrize("format_name", ESCAPES)
@pytest.mark.parametrize("name", RESULTS)
def test_every_fact_is_in_every_format(name: str, format_name: str) -> None:
    document, text = RESULTS[name].document(), written(RESULTS[name], format_name)
    text = re.sub(r"\\num{(\d+)(\.\d+)?}", lambda found: f"{int(found[1]):,}{found[2] or ''}", text)
    escaped = ESCAPES[format_name]
    assert facts_of(document)
    for fact in facts_of(document):
        assert escaped(fact.label) in text
        if fact.short or fact.note or (fact.label, fact.value) not in totals_of(document):
            assert escaped(fact_text(fact.kind, fact.unit, fact.value)) in text
            assert all(escaped(line) in text for line in [fact.short, *fact.note.split("\n")])


def test_facts_beside_the_total_row() -> None:
    text = written(LENET.summary, "markdown")
    facts = "- Parameters: 61,706 (61,706 trainable, 0 frozen)\n- Buffers: 0\n- FLOPs: 833,040 (2 × MACs)"
    assert text.endswith(f"\n\n{facts}")
    html_text = re.sub("<[^>]*>", " ", unescape(written(RESULTS["roofline"], "html")))
    assert "81 % of it bound by memory" in html_text
    assert re.search(r"Images/s\s+≤ 5,120,848", html_text)


def test_what_a_total_row_says_is_not_said_again() -> None:
    assert "- MACs" not in written(LENET.summary, "markdown")
    assert "- MACs: 416,520" in written(LENET.summary, "markdown", ("name", "parameters"))
