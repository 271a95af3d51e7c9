"""Rows of text as a table for a terminal or a pipe, whatever they are about."""

from collections.abc import Collection, Sequence

from archcalc.report.table import Style, display_width, escaped, fit, padded, shortened


def text_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    style: Style,
    words: int = 1,
    narrowed: Collection[int] = (),
    rule: bool = True,
) -> list[str]:
    """Columns side by side, those of words to the left, the others to the right. A row of one text, or two, runs on.

    Columns without any text are left out, and so are the last ones where the width is not enough, with a note;
    `narrowed` columns of words are made shorter before that. Under the header is a `rule`, unless it is not wanted.
    """
    whole = [row for row in rows if len(row) == len(header)]
    columns = [number for number in range(len(header)) if not number or any(row[number] for row in whole)]
    widths = {number: max(display_width(row[number] or "–") for row in (header, *whole)) for number in columns}
    widths[0] = max([widths[0], *(display_width(row[0] or "") for row in rows if len(row) > 1)])
    removed = fit(widths, style.width, narrowed) if style.width else []

    def line(row: Sequence[str | None]) -> str:
        if len(row) == 1:
            return style.dim(row[0] or "")
        if len(row) == 2 != len(header):
            return f"{padded(row[0] or '', widths[0], left=True)}  {row[1]}"
        cells = [
            padded(shortened(row[number] or "–", width), width, left=number < words) for number, width in widths.items()
        ]
        return "  ".join(cells).rstrip()

    rules = [style.dim("─" * (sum(widths.values()) + 2 * (len(widths) - 1)))] if rule else []
    missing = ", ".join(header[number] for number in removed if header[number].strip())
    note = [style.dim(f"(no room for: {missing})")] if missing else []
    return [style.bold(line(header)), *rules, *map(line, rows), *note]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str | None]], words: int = 1) -> str:
    """The same for a page in Markdown, with what would be markup in a text escaped."""
    from tabulate import tabulate

    body = [[escaped(cell or "", "markdown") for cell in row] for row in rows]
    table = tabulate(
        body,
        headers=[escaped(name, "markdown") for name in header],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=["left" if number < words else "right" for number in range(len(header))],
    )
    return str(table)
