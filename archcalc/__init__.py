"""archcalc: how big is this network, and why?

    spec text ─▶ document ─▶ expanded layers ─▶ graph ─▶ analyses ─▶ report
    (a file)     (TOML)      (blocks, repeat,   (edges)  (shapes,    (Network: rows,
                              variables)                  counts)     totals, tables)
                                                                        └▶ PyTorch

>>> import archcalc
>>> network = archcalc.load("lenet5")
>>> network.totals.parameters
61706
"""

__version__ = "0.1.0"

# Nothing is imported before a name is asked for, so that the command line can catch Ctrl-C before its long imports.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from archcalc.api import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        from importlib import import_module  # `from archcalc import api` would ask here for `api`

        api = import_module("archcalc.api")
        if name not in ("__all__", *api.__all__):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(api, name)

    def __dir__() -> list[str]:
        return sorted({*__getattr__("__all__"), "__version__"})
