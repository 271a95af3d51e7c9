"""Limits of what a spec may expand to: far above any network, and cheap enough for any machine."""

from archcalc.errors import Path, Problem
from archcalc.spec.evaluation import TooLargeError

MAX_LAYERS = 200_000  # entries
MAX_EDGES = 1_000_000  # inputs of all entries
MAX_VALUES = 5_000_000  # of the fields and variables of all entries
MAX_PROBLEMS = 1_000  # the search ends there
MAX_LETTERS = 20_000_000  # in the name column of a table of all layers, which is as wide as the longest name


class Expense:
    """Counts what a spec has expanded to so far. Raises TooLargeError above a limit, and notes which."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.layers = self.edges = self.names = self.values = self.longest = 0

    def entry(self, name: str, inputs: int, path: Path) -> None:
        """Count a copy of an entry: its full name and its number of inputs."""
        end_search(self.problems)
        self.layers += 1
        self.edges += inputs
        self.name(name, path)
        self._check(self.layers, MAX_LAYERS, "layers", path, "repeat fewer times")
        self._check(self.edges, MAX_EDGES, "inputs of layers", path, "repeat fewer times, or read fewer inputs")

    def name(self, name: str, path: Path) -> None:
        """Count a name of a layer or of a block's input."""
        self.names += 1
        self.longest = max(self.longest, len(name))
        remedy = "use shorter names, nest blocks less, or repeat less"
        self._check(self.longest * self.names, MAX_LETTERS, "letters of names", path, remedy)

    def evaluate(self, values: int, path: Path) -> None:
        """Count values that are evaluated, or copied into a block's variables."""
        self.values += values
        self._check(self.values, MAX_VALUES, "values of fields and variables", path, "repeat fewer times")

    def copies(self, count: int, written: str, path: Path) -> None:
        """Refuse a count of copies before the first is made."""
        if count > MAX_LAYERS:
            self._refuse(f"repeat = {written} expands to more than {MAX_LAYERS:,} layers", path, "repeat fewer times")

    def _check(self, count: int, most: int, what: str, path: Path, remedy: str) -> None:
        if count > most:
            self._refuse(f"the spec expands to more than {most:,} {what}", path, remedy)

    def _refuse(self, message: str, path: Path, remedy: str) -> None:
        self.problems.append(Problem(message, path, help=remedy))
        raise TooLargeError


def end_search(problems: list[Problem]) -> None:
    """Raise TooLargeError when more than MAX_PROBLEMS different problems are found."""
    if len(problems) > 2 * MAX_PROBLEMS:
        problems[:] = dict.fromkeys(problems)
        if len(problems) > MAX_PROBLEMS:
            problems.append(Problem(f"more than {MAX_PROBLEMS:,} errors: the search for others has ended"))
            raise TooLargeError
