"""Numbers with a SymPy expression, for closed forms.

Apart from `analysis/formula.py`, only this package imports SymPy at the top.
"""

from archcalc.errors import UsageError

try:
    import sympy  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "sympy":
        raise
    message = "this needs SymPy, which is not installed: pip install 'archcalc[formula]'"
    raise UsageError(message) from None
