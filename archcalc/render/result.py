"""The base class of results, which writes a result as text, plain values or a data frame, and in a notebook."""

from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.render.document import Document


class Result:
    """Abstract: a result of an analysis. Classes define `document` and `to_dict`."""

    __slots__ = ()

    def document(self) -> Document:
        """The result as a document for the writers."""
        raise NotImplementedError

    def to_dict(self) -> Any:
        """Plain values, as `--format json` prints them."""
        return self.document().data()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The rows of the main table as plain values, as `--format csv` prints them."""
        return self.document().records()

    def to_text(self, format_name: str = "plain") -> str:
        """The result in a format of the command line: plain, table, markdown, latex, html, csv or json.

        Raises UsageError for an unknown format.
        """
        from archcalc.errors import UsageError, did_you_mean, quoted
        from archcalc.render.write import FORMATS, write

        if format_name not in FORMATS:
            raise UsageError(f"no format is called {quoted(str(format_name))}", did_you_mean(str(format_name), FORMATS))
        return write(self.document(), format_name)

    def to_dataframe(self) -> Any:
        """The rows of the main table as a data frame of pandas, or of polars if only that is installed.

        Raises UsageError if neither is installed.
        """
        from importlib import import_module

        from archcalc.errors import UsageError

        for library in ("pandas", "polars"):
            try:
                frames = import_module(library)
            except ModuleNotFoundError:
                continue
            records = [dict(record) for record in self.records()]
            return frames.DataFrame(records or {name: [] for name in self.document().columns})
        raise UsageError("to_dataframe needs pandas or polars, and neither is installed", "pip install pandas")

    def __str__(self) -> str:
        return self.to_text("plain")

    def _repr_html_(self) -> str:
        return self.to_text("html")

    def _repr_latex_(self) -> str:
        return self.to_text("latex")
