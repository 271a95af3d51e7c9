"""The same network in PyTorch. No other package imports torch at the top."""

from archcalc.errors import UsageError

try:
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    message = "this needs PyTorch, which is not installed: pip install 'archcalc[torch]'"
    raise UsageError(message) from None
