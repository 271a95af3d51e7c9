"""Writes any document in any format."""

from archcalc.render.document import Document
from archcalc.render.style import Style

# `table` is text for a terminal, and `plain` for a pipe: without rules, and with full names.
FORMATS = ("table", "plain", "markdown", "latex", "html", "csv", "json")


def write(document: Document, format_name: str, style: Style | None = None) -> str:
    """The document in one of FORMATS; `style` is the style of text formats."""
    if format_name in ("table", "plain"):
        from archcalc.render.text import write_text

        return write_text(document, style or Style(), ruled=format_name == "table")
    if format_name == "json":
        from archcalc.render.json_text import json_text

        return json_text(document.data())
    if format_name == "csv":
        from archcalc.render.csv_text import write_csv

        return write_csv(document.records(), document.columns)
    return _write_markup(document, format_name)


def _write_markup(document: Document, format_name: str) -> str:
    if format_name == "markdown":
        from archcalc.render.markdown import write_markdown

        return write_markdown(document)
    if format_name == "latex":
        from archcalc.render.latex import write_latex

        return write_latex(document)
    from archcalc.render.html import write_html

    return write_html(document)
