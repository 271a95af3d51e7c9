"""Writes a result in one of the formats, as the command line prints it."""

from typing import Any

from archcalc.render.result import Result
from archcalc.render.style import Style
from archcalc.render.write import write


def written(result: Result, format_name: str = "plain", *arguments: Any, **options: Any) -> str:
    """The result's document, made with the arguments, in a format; a Style among the arguments styles the text."""
    style = options.pop("style", next((one for one in arguments if isinstance(one, Style)), None))
    document = result.document(*(one for one in arguments if not isinstance(one, Style)), **options)
    return write(document, format_name, style)
