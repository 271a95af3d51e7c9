"""Arithmetic that layers share, each formula written once.

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
    """Return the number; a tracing number becomes an intermediate result called `symbol`.

    `plain` is the operand that the number adjusts: a tracing number that equals it is replaced by it.
    """
    return number.named(symbol, plain) if isinstance(number, Number) else number


def ceil_divide(dividend: Any, divisor: Any) -> Any:
    """⌈dividend / divisor⌉."""
    if isinstance(dividend, Number) or isinstance(divisor, Number):
        return call(ceil_divide, "⌈⌉", dividend, divisor)
    return -(-dividend // divisor)


def floor(number: Any) -> Any:
    """⌊number⌋, for a product with a fraction."""
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
    """gcd(a, b); an unevaluated SymPy function for symbols."""
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
    """The positions that an output unit reads along one axis: `kernel` of them, `dilation` apart.

    The window of the next unit starts `stride` positions later; stride 0 means that every unit reads the same
    positions. `before` and `after` count the positions of padding at the two ends.
    """

    kernel: Any
    stride: Any = 1
    before: Any = 0
    after: Any = 0
    dilation: Any = 1

    @property
    def effective(self) -> Any:
        """The extent from the first to the last position read: D·(F − 1) + 1."""
        return named("E", self.dilation * (self.kernel - 1) + 1, self.kernel)

    @property
    def padding(self) -> Any:
        """The padding of both ends together."""
        return 2 * self.before if self.before is self.after else self.before + self.after

    def count(self, size: Any) -> Any:
        """The number of windows on `size` positions: ⌊(N + 2P − E)/S⌋ + 1 (Dumoulin, Visin 2016, relationship 6)."""
        return (size + self.padding - self.effective) // self.stride + 1

    def count_ceil(self, size: Any) -> Any:
        """The number in PyTorch's ceil mode: the last window may exceed the end, but not start in the padding there."""
        hanging = ceil_divide(size + self.padding - self.effective, self.stride) + 1
        return minimum(hanging, (size + self.before - 1) // self.stride + 1)

    def remainder(self, size: Any) -> Any:
        """The number of positions after the last window, padding included."""
        return (size + self.padding - self.effective) % self.stride

    def unread(self, size: Any, count: Any) -> Any:
        """The number of positions at the input's end that none of `count` windows reaches: what the floor drops."""
        unreached = maximum(size + self.before - (count - 1) * self.stride - self.effective, 0)
        # Padding wider than the input can hold all windows.
        return minimum(unreached, size)

    def dropped(self, size: Any, count: Any) -> Any:
        """How many more positions are unread at the end than between two windows."""
        between = maximum(self.stride - self.effective, 0) * minimum(count - 1, 1)
        return maximum(self.unread(size, count) - between, 0)

    @property
    def skipped(self) -> Any:
        """How many of every S positions no window reads: a tap falls on S/gcd(D, S) of them at most."""
        return self.stride - minimum(self.kernel, self.stride // greatest_common_divisor(self.dilation, self.stride))


POINT = Window(1)  # unit i reads position i
SAME_FOR_ALL = Window(1, stride=0)  # every unit reads the only position: broadcasting


def whole(size: Any) -> Window:
    """A window that reads all `size` positions for every unit."""
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
    """The sum of the sizes of all windows of adaptive pooling along one axis.

    Window i runs from ⌊i·N/M⌋ to ⌈(i + 1)·N/M⌉. The floors telescope to N, and each of the M window ends that is not
    a whole number adds one; gcd(N, M) ends are whole: N + M − gcd(N, M).
    """
    return size + output - greatest_common_divisor(size, output)


def field_size(size: Any, kernel: Any, jump: Any) -> Any:
    """The receptive field behind a window of effective size E: r + (E − 1)·j (Araujo, Norris, Sim 2019)."""
    return size + (kernel - 1) * jump


def field_start(start: Any, before: Any, jump: Any) -> Any:
    """The first input position in the field of unit 0 behind a window with leading padding P: a − P·j."""
    return start - before * jump
