"""Binds symbols to numbers of a spec: variables, and input sizes that are written as letters."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.graph import Graph, connect
from archcalc.spec.document import SpecDocument
from archcalc.spec.expansion import expand
from archcalc.symbolic.number import Algebra, Symbolic


class Placed(NamedTuple):
    """Variables and input shapes as numbers, for the summary, and with symbols, for the closed form."""

    symbols: dict[str, Symbolic]
    variables: dict[str, Any]
    inputs: dict[str, list[Any]]
    symbolic_variables: dict[str, Any]
    symbolic_inputs: dict[str, list[Any]]


def place(
    document: SpecDocument,
    names: Iterable[str],
    variables: Mapping[str, Any],
    inputs: Mapping[str, Sequence[Any]],
    training: bool,
    algebra: Algebra,
) -> Placed:
    """Replace named variables, and sizes that are words, by symbols.

    A size with the name of a variable is that variable, and must have its value. Raises UsageError for a name that
    cannot be a symbol.
    """
    numeric = {name: [*shape] for name, shape in inputs.items() if not any(map(_is_word, shape))}
    graph = connect(document, expand(document, variables, numeric, training))
    values = {name: _variable(name, graph) for name in dict.fromkeys(names) if name not in _words(inputs)}
    for name, shape in inputs.items():
        values.update(_sizes(name, shape, graph, values))
    if not values:
        raise UsageError(f"a formula needs a symbol: {_possible(graph)}")
    symbols = {name: algebra.symbol(name, value) for name, value in values.items()}
    chosen = {name: symbol for name, symbol in symbols.items() if name in _variables(graph)}
    return Placed(
        symbols,
        dict(variables),
        {name: [values.get(size, size) for size in shape] for name, shape in inputs.items()},  # a number is not a name
        {**variables, **chosen},
        {name: [symbols.get(size, size) for size in shape] for name, shape in inputs.items()},
    )


def _is_word(size: Any) -> bool:
    return isinstance(size, str)


def _words(inputs: Mapping[str, Sequence[int | str]]) -> set[Any]:
    return {size for shape in inputs.values() for size in shape if _is_word(size)}


def _variables(graph: Graph) -> dict[str, Any]:
    return {name: value for name, value in graph.variables.items() if name != "training"}


def _possible(graph: Graph) -> str:
    """The possible symbols, as text for the command line."""
    numbers = [name for name, value in _variables(graph).items() if type(value) in (int, float)]
    letters = {1: ("N",), 2: ("C", "L"), 3: ("C", "H", "W"), 4: ("C", "D", "H", "W")}
    ways = [f"a variable of the spec ({', '.join(numbers)})"] if numbers else []
    for name, tensor in list(graph.inputs.items())[:1]:
        shape = letters.get(len(tensor.shape), tuple(map(str, tensor.shape)))
        ways.append(f"sizes of an input (--input {name}={'x'.join(shape)})")
    return ", or ".join(ways)


def _variable(name: str, graph: Graph) -> int | float:
    known = _variables(graph)
    if name not in known:
        remedy = did_you_mean(name, known)
        if remedy is None or remedy.startswith("known"):
            remedy = f"a symbol is {_possible(graph)}"
        raise UsageError(f"no variable is called {quoted(name)}; {remedy}")
    value = known[name]
    if type(value) not in (int, float):
        kind = "true or false" if isinstance(value, bool) else "a list" if isinstance(value, list) else "a word"
        raise UsageError(f"variable {quoted(name)} is {kind}, which cannot be a symbol; --set changes its value")
    written = graph.document.data["variables"][name]
    return float(value) if isinstance(written, float) else value


def _sizes(name: str, shape: Sequence[int | str], graph: Graph, known: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the words in a shape: a variable's, or the size of that axis in the spec's own input."""
    own = graph.inputs[name].shape if name in graph.inputs else (1,) * len(shape)
    if len(own) != len(shape) and any(map(_is_word, shape)):
        message = f"input {quoted(name)} has {len(own)} axes, not {len(shape)}"
        raise UsageError(f"{message}: letters stand for the sizes of the spec's own input")
    found: dict[str, Any] = {}
    for word, size in zip(shape, own, strict=False):
        if isinstance(word, str) and word not in known and word not in found:
            if not word.isidentifier():
                raise UsageError(f"{quoted(word)} cannot be the name of a size; use letters, as in 3xHxW")
            found[word] = _variable(word, graph) if word in _variables(graph) else size
            if found[word] != size:
                message = f"variable {quoted(word)} is {found[word]}, but input {quoted(name)} has {size}"
                raise UsageError(f"{message} there; use another letter for the size")
    return found
