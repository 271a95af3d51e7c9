"""From how many samples at once PyTorch runs a network: statistics of a single value have no spread."""

from collections.abc import Iterator

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.errors import UsageError, quoted


def least_batch(analysed: AnalysedGraph, training: bool) -> int:
    """The smallest batch that all layers run on. Raises UsageError if there is a layer that runs on none."""
    least = max((batch for _, batch in _demands(analysed, training) if batch), default=1)
    check_batch(analysed, least, training)
    return least


def check_batch(analysed: AnalysedGraph, batch: int, training: bool) -> None:
    """Raises UsageError for a batch that PyTorch refuses to run or to train."""
    refuses = f"PyTorch refuses to {'train' if training else 'run'} layer"
    for name, least in _demands(analysed, training):
        if least is None:
            reason = "each channel of a sample has a single value"
            raise UsageError(f"{refuses} {quoted(name)} at any batch, since {reason}; give it larger maps")
        if batch < least:
            reason = "each channel would have a single value"
            raise UsageError(
                f"{refuses} {quoted(name)} at batch {batch}, since {reason}; use a batch of {least} or more"
            )


def _demands(analysed: AnalysedGraph, training: bool) -> Iterator[tuple[str, int | None]]:
    return ((node.name, facts.layer.least_batch(facts.inputs, training)) for node, facts in analysed.known())
