"""The smallest batch that PyTorch runs: in training, normalizations need more than one value per channel."""

from collections.abc import Iterator

from archcalc.analysis.context import AnalysisContext
from archcalc.errors import UsageError, quoted


def least_batch(context: AnalysisContext, training: bool) -> int:
    """The smallest batch that PyTorch runs. Raises UsageError if it refuses a layer at any batch."""
    least = max((batch for _, batch in _demands(context, training) if batch), default=1)
    check_batch(context, least, training)
    return least


def check_batch(context: AnalysisContext, batch: int, training: bool) -> None:
    """Raise UsageError for a batch that PyTorch refuses to run or to train."""
    refuses = f"PyTorch refuses to {'train' if training else 'run'} layer"
    for name, least in _demands(context, training):
        if least is None:
            reason = "each channel of a sample has a single value"
            raise UsageError(f"{refuses} {quoted(name)} at any batch, since {reason}", "give it larger maps")
        if batch < least:
            reason = "each channel would have a single value"
            raise UsageError(
                f"{refuses} {quoted(name)} at batch {batch}, since {reason}", f"use a batch of {least} or more"
            )


def _demands(context: AnalysisContext, training: bool) -> Iterator[tuple[str, int | None]]:
    return ((node.name, inferred.layer.least_batch(inferred.inputs, training)) for node, inferred in context.known())
