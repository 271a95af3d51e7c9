"""Reduces a spec with a fault, key by key, as long as it has the same fault.

Hypothesis shrinks its own networks; this is for networks of seeds, and for specs found elsewhere.
"""

import copy
import time
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from networks.text import to_toml

Data = dict[str, Any]


def shrink(text: str, fails: Callable[[str], bool], seconds: float = 30) -> str:
    """The smallest failing text found in the time."""
    end, data = time.monotonic() + seconds, tomllib.loads(text)
    smaller = True
    while smaller:
        smaller = False
        for candidate in candidates(data):
            if time.monotonic() > end:
                return to_toml(data)
            if fails(to_toml(candidate)):
                data, smaller = candidate, True
                break
    return to_toml(data)


def candidates(data: Data) -> Iterator[Data]:
    """The data without one of its parts, large parts first, or with a smaller number."""
    for path in (*removable(data),):
        changed = copy.deepcopy(data)
        container = _at(changed, path[:-1])
        del container[path[-1]]
        yield changed
    for path, value in _leaves(data, ()):
        for smaller in _smaller(value):
            changed = copy.deepcopy(data)
            _at(changed, path[:-1])[path[-1]] = smaller
            yield changed


def removable(data: Data) -> Iterator[tuple[Any, ...]]:
    lists = [("layers",), *(("blocks", name, "layers") for name in data.get("blocks", {}))]
    for path in lists:
        for number in reversed(range(len(_at(data, path)))):
            yield (*path, number)
    yield from (("blocks", name) for name in data.get("blocks", {}))
    yield from (("inputs", name) for name in data["inputs"])
    yield from (("ignore", number) for number in reversed(range(len(data.get("ignore", ())))))
    yield from (("variables", name) for name in data.get("variables", {}))
    yield from ((key,) for key in data if key not in ("name", "inputs", "layers"))
    yield from (("outputs", number) for number in range(len(data.get("outputs", ()))))
    for path in lists:
        for number, entry in enumerate(_at(data, path)):
            yield from ((*path, number, key) for key in entry if key != "type")
            yield from ((*path, number, "inputs", place) for place in range(len(entry.get("inputs", ()))))
    for name, block in data.get("blocks", {}).items():
        yield from (("blocks", name, key) for key in block if key != "layers")
        yield from (("blocks", name, "defaults", key) for key in block.get("defaults", ()))
        yield from (("blocks", name, "parameters", place) for place in range(len(block.get("parameters", ()))))


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _leaves(item, (*path, key))
    elif path[-1] not in ("type", "input") and "inputs" not in path[2:]:
        yield path, value


def _smaller(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return []
    if isinstance(value, int):
        return [other for other in dict.fromkeys((1, 2, 3, value // 2, value - 1)) if abs(other) < abs(value)]
    if isinstance(value, str) and len(value) > 1:
        return [1, 2, True, False]
    return []
