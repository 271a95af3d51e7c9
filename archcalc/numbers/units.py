"""Measured numbers as text with three significant digits, and shares of whole numbers."""

from math import floor, log10

_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}


def engineering(value: float, unit: str = "") -> str:
    """A value with the prefix that leaves one to three digits before the point: `25.3 µs`, `1.07 G`."""
    if isinstance(value, int) and value >= 10**18:  # in whole numbers, since a float may not hold it
        return f"{_rounded(value, 10**15):,} P{unit}"
    exponent = exponent_of(value)
    return f"{digits(value / 10**exponent)} {_PREFIXES[exponent]}{unit}".rstrip()


def round_figure(value: float, unit: str = "") -> str:
    """A value with its prefix and without trailing zeros, for the axis of a plot: `10 T`, `2.5 µs`."""
    if value >= 1e18:  # there is no prefix
        return f"{value:.3g} {unit}".rstrip()
    number, _, prefix = engineering(value, unit).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {prefix}".rstrip()


def engineering_range(low: float, high: float, like: float, unit: str = "") -> str:
    """A range with the prefix of the value `like`: `25.1–25.9 µs`."""
    exponent = exponent_of(like)
    return f"{digits(low / 10**exponent)}–{digits(high / 10**exponent)} {_PREFIXES[exponent]}{unit}".rstrip()


def exponent_of(value: float) -> int:
    """The power of ten of the prefix for a value."""
    if not value:
        return 0
    # Rounded first: 999.7 µs is 1.00 ms in three digits.
    exponent = floor(log10(float(f"{abs(value):.2e}")))
    return max(min(_PREFIXES), min(exponent // 3 * 3, max(_PREFIXES)))


def digits(value: float) -> str:
    """A value with three significant digits, and all digits before the point."""
    if not value:
        return "0"
    places = 2 - floor(log10(float(f"{abs(value):.2e}")))
    return f"{value:,.{max(places, 0)}f}" if places < 6 else f"{value:.2g}"


def mebibytes(count: int) -> str:
    """A number of bytes in MiB = 2²⁰ bytes."""
    if count >= 1000 * 2**20:  # in whole numbers, since a float may not hold it exactly
        return f"{_rounded(count, 2**20):,} MiB"
    return f"{digits(count / 2**20)} MiB"


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def exact_percent(part: int, whole: int) -> str:
    """The share part/whole as a percentage, exact for numbers of any size.

    It has one digit after the point, or more if that digit would be 0.0.
    """
    tenths, millionths = (_rounded(100 * 10**places * part, whole) for places in (1, 6))
    if tenths or not millionths:
        return f"{tenths // 10:,}.{tenths % 10} %"
    places = 8 - len(str(millionths))
    return f"0.{_rounded(100 * 10**places * part, whole):0{places}} %"


def _rounded(dividend: int, divisor: int) -> int:
    """A quotient of natural numbers, rounded to a whole number; halves go up."""
    return (2 * dividend + divisor) // (2 * divisor)
