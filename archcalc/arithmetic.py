"""The arithmetic that layers share, each formula written once.

Every function here is plain arithmetic without branches on sizes. It runs on ints (the summary), on NumPy arrays (many
variants at once), on SymPy symbols (a closed form) and on tracing numbers (the explanation).
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from archcalc.tracing import Number, call


def product(factors: Iterable[Any]) -> Any:
    """The product of the factors; 1 for none."""
    factors = iter(factors)
    total = next(factors, 1)
    for factor in factors:
        total = total * factor
    return total


def named(symbol: str, number: Any, plain: Any = None) -> Any:
    """The number itself; a tracing number remembers it as an intermediate result called `symbol`.

    Where it equals `plain`, the operand that it adjusts, there was nothing to adjust, and that stands in its place.
    """
    return number.named(symbol, plain) if isinstance(number, Number) else number


def ceil_divide(dividend: Any, divisor: Any) -> Any:
    """⌈dividend / divisor⌉."""
    if isinstance(dividend, Number) or isinstance(divisor, Number):
        return call(ceil_divide, "⌈⌉", dividend, divisor)
    return -(-dividend // divisor)


def floor(number: Any) -> Any:
    """⌊number⌋, for a number that was multiplied by a fraction."""
    if isinstance(number, Number):
        return call(floor, "⌊⌋", number)
    if isinstance(number, float):
        return math.floor(number)
    whole = number // 1
    return whole.astype(int) if hasattr(whole, "astype") else whole


def minimum(a: Any, b: Any) -> Any:
    """min(a, b) in a form that arrays and symbols can run."""
    if isinstance(a, Number) or isinstance(b, Number):
        return call(minimum, "min", a, b)
    return (a + b - abs(a - b)) // 2


def maximum(a: Any, b: Any) -> Any:
    """max(a, b) in a form that arrays and symbols can run."""
    if isinstance(a, Number) or isinstance(b, Number):
        return call(maximum, "max", a, b)
    return (a + b + abs(a - b)) // 2


def greatest_common_divisor(a: Any, b: Any) -> Any:
    """gcd(a, b); for symbols an expression that waits for its values."""
    if isinstance(a, Number) or isinstance(b, Number):
        return call(greatest_common_divisor, "gcd", a, b)
    if isinstance(a, int) and isinstance(b, int):
        return math.gcd(a, b)
    if hasattr(a, "dtype") or hasattr(b, "dtype"):
        import numpy

        return numpy.gcd(a, b)
    import sympy

    return sympy.Function("gcd")(a, b)


class Window(NamedTuple):
    """What one output unit reads along one axis: `kernel` positions, `dilation` apart; the next unit `stride` on.

    `before` and `after` are the positions of padding at the two ends. Stride 0 means that every unit reads the same.
    """

    kernel: Any
    stride: Any = 1
    before: Any = 0
    after: Any = 0
    dilation: Any = 1

    @property
    def effective(self) -> Any:
        """From the first to the last position read: D·(F − 1) + 1."""
        return named("E", self.dilation * (self.kernel - 1) + 1, self.kernel)

    @property
    def padding(self) -> Any:
        """Both ends together."""
        return 2 * self.before if self.before is self.after else self.before + self.after

    def count(self, size: Any) -> Any:
        """How many windows fit on `size` positions: ⌊(N + 2P − E)/S⌋ + 1 (Dumoulin, Visin 2016, relationship 6)."""
        return (size + self.padding - self.effective) // self.stride + 1

    def count_ceil(self, size: Any) -> Any:
        """The same in ceil mode, where the last window may hang over the end but not start in the padding (PyTorch)."""
        hanging = ceil_divide(size + self.padding - self.effective, self.stride) + 1
        return minimum(hanging, (size + self.before - 1) // self.stride + 1)

    def remainder(self, size: Any) -> Any:
        """Positions, padding included, after the last window."""
        return (size + self.padding - self.effective) % self.stride

    def unread(self, size: Any, count: Any) -> Any:
        """Positions of the input at its end that none of `count` windows reaches: what the floor drops."""
        unreached = maximum(size + self.before - (count - 1) * self.stride - self.effective, 0)
        # Padding wider than the input can hold all windows.
        return minimum(unreached, size)

    def dropped(self, size: Any, count: Any) -> Any:
        """Unread positions at the end, beyond as many as are left out between any two windows."""
        between = maximum(self.stride - self.effective, 0) * minimum(count - 1, 1)
        return maximum(self.unread(size, count) - between, 0)

    @property
    def skipped(self) -> Any:
        """How many of every S positions no window reads: taps meet S/gcd(D, S) of them, each once."""
        return self.stride - minimum(self.kernel, self.stride // greatest_common_divisor(self.dilation, self.stride))


POINT = Window(1)  # unit i reads position i
SAME_FOR_ALL = Window(1, stride=0)  # every unit reads the one position there is: broadcasting


def whole(size: Any) -> Window:
    """A window that reads all `size` positions, whichever the unit."""
    return Window(size, stride=0)


def same_window(size: Any, kernel: Any, stride: Any, dilation: Any) -> Window:
    """The window of "same" padding: ⌈N/S⌉ units, the extra position of an odd padding at the end, as in TensorFlow."""
    bare = Window(kernel, stride, dilation=dilation)
    missing = (ceil_divide(size, stride) - 1) * stride + bare.effective - size
    total = named("P", maximum(missing, 0))
    before = total // 2
    return Window(kernel, stride, before, total - before, dilation)


def transposed_count(size: Any, window: Window, output_padding: Any) -> Any:
    """The output size of a transposed convolution: (N − 1)·S − 2P + E + output padding (PyTorch)."""
    return (size - 1) * window.stride - window.padding + window.effective + output_padding


def adaptive_reads(size: Any, output: Any) -> Any:
    """Positions read by all windows of adaptive pooling together, along one axis.

    Window i runs from ⌊i·N/M⌋ to ⌈(i + 1)·N/M⌉. The floors telescope to N; the ceilings add one for each of the M
    window ends that is not whole, and gcd(N, M) of them are: N + M − gcd(N, M).
    """
    return size + output - greatest_common_divisor(size, output)


def field_size(size: Any, kernel: Any, jump: Any) -> Any:
    """The receptive field behind a window of effective size E: r + (E − 1)·j (Araujo, Norris, Sim 2019)."""
    return size + (kernel - 1) * jump


def field_start(start: Any, before: Any, jump: Any) -> Any:
    """The first input position that unit 0 sees behind a window with leading padding P: a − P·j."""
    return start - before * jump
