"""What every result can do: say itself as a document, and so as text, in a notebook, as values, as a data frame."""

from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.render.document import Document


class Result:
    """Something that says itself as a document. Abstract: `document` and `to_dict` are the result's own."""

    __slots__ = ()

    def document(self) -> Document:
        """All that it says, for any of the writers."""
        raise NotImplementedError

    def to_dict(self) -> Any:
        """Everything as plain values, as `--format json` prints it."""
        return self.document().data()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The rows of the main table as plain values, as `--format csv` prints them."""
        return self.document().records()

    def to_text(self, format_name: str = "plain") -> str:
        """The result in a format of the command line: plain, table, markdown, latex, html, csv or json.

        Raises UsageError for any other.
        """
        from archcalc.errors import UsageError, did_you_mean, quoted
        from archcalc.render.write import FORMATS, write

        if format_name not in FORMATS:
            raise UsageError(f"no format is called {quoted(str(format_name))}", did_you_mean(str(format_name), FORMATS))
        return write(self.document(), format_name)

    def to_dataframe(self) -> Any:
        """The rows of the main table as a data frame of pandas, or of polars where that alone is installed.

        Raises UsageError without either.
        """
        from importlib import import_module

        from archcalc.errors import UsageError

        for library in ("pandas", "polars"):
            try:
                frames = import_module(library)
            except ModuleNotFoundError:
                continue
            return frames.DataFrame([dict(record) for record in self.records()])
        raise UsageError("to_dataframe needs pandas or polars, and neither is installed", "pip install pandas")

    def __str__(self) -> str:
        return self.to_text("plain")

    def _repr_html_(self) -> str:
        return self.to_text("html")

    def _repr_latex_(self) -> str:
        return self.to_text("latex")
