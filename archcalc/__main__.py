"""The entry point of `archcalc` and `python -m archcalc`: lets Ctrl-C end even an import without a traceback."""

# The module of the interpreter itself: importing `signal` takes long enough to be interrupted.
import _signal  # type: ignore[import-not-found]
import gc
import os

INTERRUPTED = 130  # the convention of shells: 128 plus the number of the signal


def main() -> None:
    """Import the command line and run it."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # and not ignored, as under nohup
        # A KeyboardInterrupt could surface anywhere, and an import or PyTorch could turn it into another exception.
        # `archcalc.cli.interrupt` raises it around the few places that must clean up.
        _signal.signal(_signal.SIGINT, _leave)
    # The process is short and leaves next to no cycles; looking for them doubles the time of a very long spec.
    gc.disable()
    from archcalc.cli import main as run

    try:
        run()
    finally:
        gc.freeze()  # Python looks for cycles once more when it ends, unless there is nothing to look at


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
