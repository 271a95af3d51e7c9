"""Specs broken in one known way: the only error has the right line, and its remedy repairs the spec."""

import copy
import random
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from networks import network_of

import archcalc
from archcalc.errors import Diagnostic
from archcalc.layers import LAYER_TYPES
from archcalc.network import ShapeError
from archcalc.spec.document import shipped_specs
from archcalc.spec.expressions import FUNCTIONS, TRUTHS, WORDS, names_in
from archcalc.spec.other_names import other_names
from archcalc.spec.schema import ENTRY_KEYS
from archcalc.spec.wanted import wanted
from archcalc.spelling import plainly

Data = dict[str, Any]
NETWORKS, MANY = 10, 400  # seeds of the generator
PER_SPEC = 2  # mutations of a kind
RESERVED = {*FUNCTIONS, *TRUTHS, *WORDS, "index", "training", "in", "is", "and", "or", "not", "if", "else"}
BARE = re.compile(r"[A-Za-z0-9_-]+")


# specs with one entry per line


def toml(value: Any) -> str:
    if isinstance(value, str):
        escaped = "".join(f"\\u{ord(c):04x}" if c in '"\\' or ord(c) < 32 or ord(c) == 127 else c for c in value)
        return f'"{escaped}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key_text(key)} = {toml(item)}' for key, item in value.items())} }}"
    return repr(value)


def key_text(key: str) -> str:
    return key if BARE.fullmatch(key) else toml(key)


def written(data: Data) -> tuple[str, dict[tuple[Any, ...], int]]:
    """The spec as text, and the line of every entry by its path."""
    lines = [f"{key_text(key)} = {toml(value)}" for key, value in data.items() if key not in ("layers", "blocks")]
    places: dict[tuple[Any, ...], int] = {}
    scopes = [((), "", data["layers"])]
    for name, block in data.get("blocks", {}).items():
        scopes.append((("blocks", name), f"[blocks.{key_text(name)}]", block["layers"]))
    for path, header, entries in scopes:
        if header:
            block = data["blocks"][path[1]]
            lines += ["", header, *(f"{key_text(k)} = {toml(v)}" for k, v in block.items() if k != "layers")]
        lines.append("layers = [")
        for number, entry in enumerate(entries):
            lines.append(f"  {toml(entry)},")
            places[*path, "layers", number] = len(lines)
        lines.append("]")
    return "\n".join(lines) + "\n", places


# mutations


class Mutation(NamedTuple):
    """A spec with a mistake in the entry at `path`; the error must contain `says`, its remedy `remedy`."""

    kind: str
    data: Data
    path: tuple[Any, ...]
    says: str
    remedy: str | None = None  # the right word
    mended: Data | None = None


def misspelled(word: str, choice: random.Random, taken: set[str]) -> str | None:
    """The word with a letter left out, doubled, replaced, or swapped with the next."""
    for _ in range(20):
        at = choice.randrange(1, len(word)) if len(word) > 1 else 0
        swapped = word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]
        wrong = choice.choice([word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], swapped,
                               word[:at] + choice.choice("aeiostx") + word[at + 1 :]])  # fmt: skip
        if wrong != word and wrong.isidentifier() and plainly(wrong) not in taken and len(word) > 3:
            return wrong
    return None


def entries(data: Data) -> Iterator[tuple[tuple[Any, ...], Data]]:
    for number, entry in enumerate(data["layers"]):
        yield ("layers", number), entry
    for name, block in data.get("blocks", {}).items():
        for number, entry in enumerate(block["layers"]):
            yield ("blocks", name, "layers", number), entry


def at(data: Data, path: tuple[Any, ...]) -> Any:
    found: Any = data
    for key in path:
        found = found[key]
    return found


def changed(data: Data, path: tuple[Any, ...], change: Callable[[Data], None]) -> Data:
    new = copy.deepcopy(data)
    change(at(new, path))
    return new


def fields_of(entry: Data) -> Iterator[str]:
    layer = LAYER_TYPES.get(entry["type"])
    if layer:
        yield from (key for key in entry if key in layer.__struct_fields__)


def mutations(data: Data, choice: random.Random) -> Iterator[Mutation]:
    """Up to PER_SPEC of every kind."""
    everything = [*entries(data)]
    for kind, mutate in KINDS.items():
        found = 0
        for path, entry in choice.sample(everything, len(everything)):
            if found < PER_SPEC and (mutation := mutate(data, path, entry, choice)):
                found += 1
                yield mutation._replace(kind=kind)


Mutate = Callable[[Data, tuple[Any, ...], Data, random.Random], Mutation | None]


def _replaced(data: Data, path: tuple[Any, ...], key: str, value: Any, says: str, remedy: str | None) -> Mutation:
    return Mutation("", changed(data, path, lambda entry: entry.update({key: value})), path, says, remedy, data)


def misspelled_type(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    known = {*LAYER_TYPES, *data.get("blocks", {})}
    taken = {*map(plainly, known), *other_names().types, *other_names().advice}
    wrong = misspelled(entry["type"], choice, taken)
    return _replaced(data, path, "type", wrong, f'"{wrong}"', entry["type"]) if wrong else None


def foreign_type(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    dimension = re.search(r"[123]d$", entry["type"])
    stem = entry["type"].replace(dimension[0], "{d}d") if dimension else entry["type"]
    names = [name for name, types in other_names().types.items() if stem in types]
    wrong = choice.choice(names) + (dimension[0] if dimension else "") if names else None
    if wrong is None or wrong in LAYER_TYPES or any(plainly(name) == wrong for name in data.get("blocks", {})):
        return None
    return _replaced(data, path, "type", wrong, f'"{wrong}"', entry["type"])


def _renamed(data: Data, path: tuple[Any, ...], old: str, new: str) -> Mutation:
    def rename(entry: Data) -> None:
        items = [(new if key == old else key, value) for key, value in entry.items()]
        entry.clear()
        entry.update(items)

    return Mutation("", changed(data, path, rename), path, f'unknown key "{new}"', old, data)


def misspelled_key(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    fields = [*fields_of(entry)]
    key = choice.choice(fields) if fields else "p"
    known = {*LAYER_TYPES.get(entry["type"], LAYER_TYPES["relu"]).__struct_fields__, *ENTRY_KEYS}
    wrong = misspelled(key, choice, {*map(plainly, known), *other_names().keys, *other_names().key_advice})
    return _renamed(data, path, key, wrong) if wrong else None


def foreign_key(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    fields = [*fields_of(entry)]
    known = {*LAYER_TYPES.get(entry["type"], LAYER_TYPES["relu"]).__struct_fields__, *ENTRY_KEYS}
    for key in choice.sample(fields, len(fields)):
        meant = {name: [field for field in found if field in known] for name, found in other_names().keys.items()}
        names = [
            name for name, found in meant.items() if found[:1] == [key] and name not in {*entry, *map(plainly, known)}
        ]
        if names:
            return _renamed(data, path, key, choice.choice(names))
    return None


def misspelled_argument(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    keys = [key for key in entry if key not in ENTRY_KEYS and entry["type"] in data.get("blocks", {})]
    block = data.get("blocks", {}).get(entry["type"], {})
    known = {*block.get("parameters", []), *block.get("defaults", {}), *ENTRY_KEYS}
    for key in keys:
        taken = {*map(plainly, known), *other_names().keys, *other_names().key_advice}
        if wrong := misspelled(key, choice, taken):
            return _renamed(data, path, key, wrong)
    return None


def misspelled_key_of_an_entry(
    data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random
) -> Mutation | None:
    layer, block = LAYER_TYPES.get(entry["type"]), data.get("blocks", {}).get(entry["type"], {})
    own = layer.__struct_fields__ if layer else (*block.get("parameters", []), *block.get("defaults", {}))
    key = choice.choice([key for key in entry if key in ENTRY_KEYS])
    wrong = misspelled(
        key, choice, {*map(plainly, (*own, *ENTRY_KEYS)), *other_names().keys, *other_names().key_advice}
    )
    return _renamed(data, path, key, wrong) if wrong else None


def missing_type(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    return Mutation("", changed(data, path, lambda one: one.pop("type")), path, "type is missing", None, data)


def misspelled_edge(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    source = entry.get("input") or (entry.get("inputs") or [""])[-1]
    if not source.isidentifier() or "when" in entry or "repeat" in entry:  # a left out entry reads nothing
        return None
    scope = at(data, path[:-1])
    names = {one.get("name", one["type"]) for one in scope} | {*data["inputs"]} | {"input"}
    wrong = misspelled(source, choice, {*map(plainly, names)})
    if wrong is None:
        return None
    if "input" in entry:
        return _replaced(data, path, "input", wrong, f'no layer or input is called "{wrong}"', source)
    inputs = [*entry["inputs"][:-1], wrong]
    return _replaced(data, path, "inputs", inputs, f'no layer or input is called "{wrong}"', source)


def misspelled_variable(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    for key in fields_of(entry):
        value, kind = entry[key], wanted(LAYER_TYPES[entry["type"]])[key]
        words = value in kind.words if isinstance(value, str) else True
        names = [] if words else [name for name in names_in(value) if name not in RESERVED]
        known = {*data.get("variables", {}), *RESERVED}
        if path[0] == "blocks":
            block = data["blocks"][path[1]]
            known |= {*block.get("parameters", []), *block.get("defaults", {})}
        for name in names:
            if wrong := misspelled(name, choice, {*map(plainly, known)}):
                text = re.sub(rf"\b{name}\b", wrong, value)
                says = "neither a variable nor" if kind.words and text == wrong else f'no variable is called "{wrong}"'
                return _replaced(data, path, key, text, says, name)
    return None


def misspelled_word(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    for key in fields_of(entry):
        words = wanted(LAYER_TYPES[entry["type"]])[key].words
        if entry[key] in words and (wrong := misspelled(entry[key], choice, {*words, *other_names().words})):
            return _replaced(data, path, key, wrong, f'{key} = "{wrong}"', entry[key])
    return None


def _fit(layer: str, field: str, value: Any) -> bool:
    annotation = next(found.type for found in msgspec.structs.fields(LAYER_TYPES[layer]) if found.name == field)
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return False
    return True


def wrong_value(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    """A value of another type, or out of range."""
    for key in fields_of(entry):
        values = [value for value in (True, 0, -1, 1.5, [[]], {"a": 1}) if not _fit(entry["type"], key, value)]
        if values:
            value = choice.choice(values)
            return _replaced(data, path, key, value, f"{key} = ", None)
    return None


def missing_key(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    layer = LAYER_TYPES.get(entry["type"])
    required = [field.name for field in msgspec.structs.fields(layer) if field.required] if layer else []
    if not required:
        return None
    key = choice.choice(required)
    return Mutation("", changed(data, path, lambda one: one.pop(key)), path, f"{key} is missing", None, data)


def unknown_key(data: Data, path: tuple[Any, ...], entry: Data, choice: random.Random) -> Mutation | None:
    key = choice.choice(["activation", "kernel_initializer", "zzqx", "in_channels", "data_format"])
    return _replaced(data, path, key, 1, f'unknown key "{key}"', None)


KINDS: dict[str, Mutate] = {
    "misspelled type": misspelled_type,
    "another's type": foreign_type,
    "misspelled key": misspelled_key,
    "another's key": foreign_key,
    "misspelled argument": misspelled_argument,
    "misspelled edge": misspelled_edge,
    "misspelled variable": misspelled_variable,
    "misspelled word": misspelled_word,
    "wrong value": wrong_value,
    "missing key": missing_key,
    "unknown key": unknown_key,
    "misspelled key of an entry": misspelled_key_of_an_entry,
    "missing type": missing_type,
}


# errors


def errors_of(text: str, training: bool = False) -> list[Diagnostic]:
    try:
        archcalc.loads(text, training=training)
    except ShapeError as error:
        return [Diagnostic(f"SHAPE {found.message}", *found[1:]) for found in error.diagnostics]
    except archcalc.SpecError as error:
        return [*error.diagnostics]
    return []


def fault(mutation: Mutation, training: bool) -> str | None:
    """The fault in the error of a mutation; None if it is right."""
    text, places = written(mutation.data)
    found = errors_of(text, training)
    if len(found) != 1:
        return "no error" if not found else "consequences"
    (error,) = found
    if error.place.line != places[mutation.path]:
        return "another line"
    if mutation.says not in error.message:
        return "another message"
    if mutation.remedy is None:
        return None if error.help else "no remedy"
    named = re.findall(r'"([^"]+)"', error.help or "") if (error.help or "").startswith("did you mean") else []
    return None if mutation.remedy in named else "another remedy"


def sources(networks: int = NETWORKS) -> Iterator[tuple[str, Data, bool]]:
    for name, path in shipped_specs().items():
        yield name, tomllib.loads(Path(path).read_text("utf-8")), False
    for seed in range(networks):
        if drawn := network_of(seed):
            yield str(seed), tomllib.loads(drawn.text), drawn.training


def tried(data: Data, training: bool, seed: int) -> Iterator[tuple[Mutation, str | None]]:
    if errors_of(written(data)[0], training):
        return
    for mutation in mutations(data, random.Random(seed)):
        yield mutation, fault(mutation, training)


@pytest.mark.parametrize("networks", [NETWORKS, pytest.param(MANY, marks=pytest.mark.slow)])
def test_every_mutation_is_named_where_it_is_and_mended_by_its_remedy(networks: int) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for number, (_, data, training) in enumerate(sources(networks)):
        for mutation, wrong in tried(data, training, number):
            counts[mutation.kind, wrong or "right"] += 1
    assert {kind for kind, _ in counts} == {*KINDS}
    assert counts.total() == sum(count for (_, wrong), count in counts.items() if wrong == "right"), counts


def test_two_mutations_are_named_together() -> None:
    tried_pairs = 0
    for number, (_, data, training) in enumerate(sources()):
        if errors_of(written(data)[0], training):
            continue
        choice = random.Random(number)
        first, second = (choice.choice([*mutations(data, random.Random(number + more))]) for more in (0, 1000))
        if first.path == second.path:
            continue
        both = copy.deepcopy(first.data)
        changed_entry = at(second.data, second.path)
        at(both, second.path[:-1])[second.path[-1]] = changed_entry
        text, places = written(both)
        lines = {error.place.line for error in errors_of(text, training)}
        assert lines == {places[first.path], places[second.path]}, (first, second, text)
        tried_pairs += 1
    assert tried_pairs > 20


SPEC = """
name = "x"
inputs.image = [3, 32, 32]
layers = [
  { name = "a", type = "conv2d", out_channels = 8, kernel_size = 40 },
  { name = "b", type = "conv2d", out_channels = 8, kernal_size = 3, input = "image" },
  { name = "c", type = "relu" },
  { name = "d", type = "linear", out_features = 3, input = "c" },
  { name = "e", type = "group_norm", num_groups = 2, input = "image" },
  { name = "f", type = "swish", input = "imgae", rate = "fast", inplace = "widht" },
  { name = 7, type = "max_pool2d", kernel_size = 2, strides = 2, input = "image" },
]
[variables]
width = 3
"""


def test_errors_of_all_stages_come_at_once_and_without_their_consequences() -> None:
    found = [(error.place.line, error.message.split(": layer")[0], error.help) for error in errors_of(SPEC)]
    assert found == [
        (5, "kernel_size 40 does not fit", "use kernel_size ≤ 32, or padding ≥ 4"),
        (6, 'unknown key "kernal_size"', 'did you mean "kernel_size"?'),
        (9, "num_groups 2 does not divide the 3 channels", "num_groups that divide 3: 1, 3"),
        (10, 'no layer type or block is called "swish"', 'did you mean "silu"?'),
        (10, 'unknown key "rate"', found[4][2]),
        (10, 'inplace = "widht": no variable is called "widht"', 'did you mean "width"?'),
        (10, 'no layer or input is called "imgae"', 'did you mean "image"?'),
        (11, "name = 7: expected text of 1 to 200 letters without a full stop, got a whole number", 'write name = "7"'),
        (11, 'unknown key "strides"', 'did you mean "stride"?'),
    ]
