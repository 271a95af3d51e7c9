"""Numbers with a SymPy expression, for closed forms.

Besides `analysis/formula.py` the only place that imports SymPy at the top.
"""

from archcalc.errors import UsageError

try:
    import sympy  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "sympy":
        raise
    raise UsageError("this needs SymPy, which is not installed", "pip install 'archcalc[formula]'") from None
