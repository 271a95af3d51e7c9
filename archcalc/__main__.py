"""`archcalc` and `python -m archcalc`: what runs first, so that Ctrl-C ends even an import without a traceback."""

# The module of the interpreter itself: importing `signal` takes long enough to be interrupted.
import _signal  # type: ignore[import-not-found]
import os

INTERRUPTED = 130  # as shells have it: 128 and the number of the signal


def main() -> None:
    """Import the command line and run it."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # and not ignored, as under nohup
        # An exception would surface anywhere, also where an import or PyTorch's own code makes another of it.
        # `archcalc.cli.interrupt` gives it to the little that has to be tidied up.
        _signal.signal(_signal.SIGINT, _leave)
    from archcalc.cli import main as run

    run()


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
