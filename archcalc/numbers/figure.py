"""Published numbers: read at the precision at which they are printed."""

import re
from fractions import Fraction
from typing import NamedTuple

from archcalc.errors import UsageError, quoted

_POWERS = {"": 0, "k": 3, "m": 6, "g": 9, "b": 9, "t": 12, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_FORM = re.compile(
    r"(?P<whole>\d{1,3}(?:,\d{3})+|\d{1,40})(?:\.(?P<decimals>\d{1,40}))?(?:e\+?(?P<exponent>\d{1,2}))?"
    r"\s*(?P<power>k|m|g|b|t|thousand|million|billion|trillion|)\s*(?:(?P<macs>macs?|mult-adds?)|flops?|ops?|operations)?",
    re.IGNORECASE,
)


class Figure(NamedTuple):
    """A rounded number: `text` as printed, its `value`, and `step`, the unit of its last digit.

    `unit` is what it counts if the text is unambiguous: papers call MACs FLOPs, but never FLOPs MACs.
    """

    text: str
    value: Fraction
    step: Fraction
    unit: str | None = None

    def is_rounded(self, count: int) -> bool:
        """Whether a count rounds to the figure; exactly between two figures it may be either."""
        return 2 * abs(count - self.value) <= self.step


def read_figure(text: str) -> Figure:
    """Read `4.1e9`, `4.09G`, `4.1 B`, `569M`, `3.8 GFLOPs` or `4,089,184,256`. Raises UsageError for other text."""
    found = _FORM.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{quoted(text)} is not a figure; write 4.1e9, 4.09G, 569M or 4,089,184,256")
    decimals = found["decimals"] or ""
    power = int(found["exponent"] or 0) + _POWERS[found["power"].lower()]
    step = Fraction(10) ** (power - len(decimals))
    return Figure(
        text.strip(), int(found["whole"].replace(",", "") + decimals) * step, step, "MACs" if found["macs"] else None
    )
