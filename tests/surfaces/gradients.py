"""Receptive fields against gradients."""

import torch
from networks import Drawn

from archcalc.pytorch.verify.fields import compare_fields
from surfaces.runner import loaded


def check_fields(drawn: Drawn) -> None:
    """What the gradients of units of every layer reach is what the units are said to see."""
    torch.set_num_threads(1)
    rows = [*compare_fields(loaded(drawn), None, lambda _done, _all: None)]
    differing = [f"{row.layer}: {row.said} and {row.found}" for row in rows if row.status == "differs"]
    assert not differing, differing[:5]
