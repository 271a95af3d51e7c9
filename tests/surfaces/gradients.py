"""Receptive fields compared with gradients."""

import torch
from networks import Drawn

from archcalc.pytorch.verify.fields import compare_fields
from surfaces.runner import loaded


def check_fields(drawn: Drawn) -> None:
    """The gradients of units of every layer are non-zero exactly on their predicted fields."""
    torch.set_num_threads(1)
    rows = [*compare_fields(loaded(drawn), None, lambda _done, _all: None)]
    differing = [f"{row.layer}: {row.said} and {row.found}" for row in rows if row.status == "differs"]
    assert not differing, differing[:5]
