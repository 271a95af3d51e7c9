"""Specs with their own settings after a colon: `mobilenet_v1:alpha=0.5,image=3x160x160`."""

import os.path
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from archcalc.analysis.comparison import distinct
from archcalc.cli.options import naming, parse_shape, parse_value, split_settings
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.graph import connect_sound
from archcalc.network import Network
from archcalc.spec.document import SpecDocument, read
from archcalc.spec.expansion import expand

FORM = "SPEC:NAME=VALUE,NAME=VALUE"


class SpecWithSettings(NamedTuple):
    """A spec on the command line, with the settings after its colon, by name."""

    spec: str
    settings: dict[str, str]
    text: str  # the settings as written

    @property
    def stem(self) -> str:
        """The name of the spec without folder and ending."""
        return os.path.basename(self.spec).removesuffix(".toml")


def parse_specs(
    _context: click.Context, _argument: click.Parameter, texts: tuple[str, ...]
) -> tuple[SpecWithSettings, ...]:
    """Parse specs with their settings."""
    return tuple(map(parse_spec, texts))


def parse_spec(text: str) -> SpecWithSettings:
    """Parse a spec with its settings. An existing file with a colon in its name has no settings."""
    # A colon in a path, as in C:\\net.toml, is not followed by a name and an equals sign.
    colons = [found.start() for found in re.finditer(r":(?=[^:=/\\]*(=|$))", text)]
    if not colons or os.path.exists(text):
        return SpecWithSettings(text, {}, "")
    colon = next((colon for colon in reversed(colons) if os.path.exists(text[:colon])), colons[0])
    spec, settings = text[:colon], text[colon + 1 :]
    return SpecWithSettings(spec, split_settings(_parts(settings), FORM), settings)


def _parts(settings: str) -> list[str]:
    """Split at commas outside of brackets: `sizes=[1, 2],depth=max(3, 4)`."""
    parts, depth = [""], 0
    for letter in settings:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def load_specs(
    specs: Sequence[SpecWithSettings],
    variables: Mapping[str, Any],
    inputs: Mapping[str, list[int]],
    training: bool,
    batch: int,
) -> dict[str, Network]:
    """Load the networks, by label. The other arguments apply to all specs. Reads every spec once."""
    documents = {spec: read(spec) for spec in dict.fromkeys(item.spec for item in specs)}
    networks = []
    for item in specs:
        document = documents[item.spec]
        own, shapes = _divided(item, document)
        with naming(item.text):
            expansion = expand(document, {**variables, **own}, {**inputs, **shapes}, training)
            networks.append(Network(connect_sound(document, expansion), batch))
    return dict(zip(labels_of(specs), networks, strict=True))


def _divided(item: SpecWithSettings, document: SpecDocument) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """The settings of variables, and the settings of inputs."""
    tables = (document.data.get(key) for key in ("variables", "inputs"))
    known, shaped = (table if isinstance(table, dict) else {} for table in tables)
    variables, shapes = {}, {}
    for name, value in item.settings.items():
        if name in known:
            variables[name] = parse_value(name, value)
        elif name in shaped:
            shapes[name] = parse_shape(value)
        else:
            remedy = did_you_mean(name, [*known, *shaped])
            raise UsageError(f"{quoted(item.spec)} has no variable and no input called {quoted(name)}", remedy)
    return variables, shapes


def labels_of(specs: Sequence[SpecWithSettings]) -> list[str]:
    """Short distinct labels: names without folders, or only the settings if all specs are the same."""
    paths = {item.spec for item in specs}
    named = {item.spec: item.stem for item in specs}
    if len(set(named.values())) < len(paths):
        named = {path: path for path in paths}
    if len(paths) == 1:
        return distinct([item.text or named[item.spec] for item in specs])
    return distinct([f"{named[item.spec]}:{item.text}" if item.text else named[item.spec] for item in specs])
