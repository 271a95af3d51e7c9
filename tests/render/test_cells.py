"""Values of a table as text, in one unit for the whole table."""

import pytest

from archcalc.numbers.bounds import AtLeast, Cause
from archcalc.render.cells import cell_text, table_texts
from archcalc.render.document import (
    AMOUNT,
    FIGURE,
    NAME,
    NUMBER,
    SHARE,
    Approximate,
    Column,
    Document,
    Range,
    Row,
    Table,
)
from archcalc.render.style import Style
from archcalc.render.text import write_text

BOUND = AtLeast(0.25, (Cause("not known"),))


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (NUMBER, Approximate(1.2345), "~1.23"),
        (NUMBER, Range(1.17, 123.4), "1.17–123"),
        (SHARE, Approximate(0.5), "~50 %"),
        (SHARE, BOUND, "≥ 25 %"),
        (FIGURE, 1307.4, "1,307.4"),
        (FIGURE, 67.0, "67"),
    ],
)
def test_a_value_as_text(kind: str, value: object, text: str) -> None:
    assert cell_text(kind, value) == text


def test_ranges_and_approximate_numbers_share_the_unit_of_their_table() -> None:
    columns = [Column("Network", NAME), Column("Median", AMOUNT, unit="s"), Column("Quartiles", AMOUNT, unit="s")]
    rows = [
        Row(["fast", 8.16e-5, Range(7.97e-5, 8.68e-5)]),
        Row(["slow", Approximate(0.0536), Range(0.0521, 0.0551)]),
        Row(["large", "out of memory", None]),
    ]
    headers, texts = table_texts(Table(columns, rows), rows)
    assert headers == ["Network", "Median ms", "Quartiles ms"]
    assert texts == [
        ["fast", "0.0816", "0.0797–0.0868"],
        ["slow", "~53.6", "52.1–55.1"],
        ["large", "out of memory", "–"],
    ]


@pytest.mark.parametrize(("kind", "name"), [("text", "  weight"), (NAME, "weight")])
def test_a_level_indents_rows_of_a_table_without_rules(kind: str, name: str) -> None:
    rows = [Row(["parameters", "1"]), Row(["weight", "2"], level=1), Row(["a note that is long"], level=1)]
    table = Table([Column("", kind), Column("")], rows, ruled=False)
    document = Document(title="", data=dict, records=list, parts=[table])
    lines = write_text(document, Style(16)).splitlines()
    assert [line.split("  1")[0].rstrip() for line in lines[:1]] == ["parameters"]
    assert lines[1].startswith(f"{name}  ")
    assert lines[2:] == ["  a note that is", "  long"]
