"""Checks without PyTorch: the summary adds up, explanations agree with it, every question has an answer."""

import csv
import io
import json
import tomllib
from fractions import Fraction
from typing import Any

from networks import Drawn
from written import written

import archcalc
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.in_place import check_in_place
from archcalc.analysis.lint import RULES
from archcalc.analysis.lint.rule import Rule
from archcalc.analysis.neuron_field import NeuronField
from archcalc.analysis.resizing import resized
from archcalc.analysis.summary import LayerSummary
from archcalc.arithmetic import product
from archcalc.numbers.bounds import Inexact, known
from archcalc.render.write import FORMATS
from surfaces.runner import loaded

MOST_ASKED = 60  # largest number of layers whose units are followed back
FIELD_AXES = {1: ("position",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def check_load(drawn: Drawn) -> None:
    """The spec loads twice with equal results, which have every text form."""
    network, again = drawn.load(), drawn.load()
    assert network.to_dict() == again.to_dict()
    assert json.loads(json.dumps(network.to_dict(), allow_nan=False)) == network.to_dict()
    assert str(network)
    assert repr(network)


def check_summary(drawn: Drawn) -> None:
    """Totals are the sums of the rows, collapsed or not, and every format has the same numbers."""
    network = loaded(drawn)
    for depth in (None, 1, 2):
        summary = network.collapsed(depth)
        for what in ("parameters", "trainable_parameters", "buffers"):
            assert sum(getattr(row, what) for row in summary.layers) == getattr(summary.totals, what), (depth, what)
        for what in ("macs", "connections"):
            values, total = [getattr(row, what) for row in summary.layers], getattr(summary.totals, what)
            assert any(isinstance(value, Inexact) for value in values) == isinstance(total, Inexact), (depth, what)
            assert sum(known(value) or 0 for value in values) == known(total), (depth, what)
        for format_name in FORMATS if depth is None else ("table",):
            assert written(summary, format_name)
        check_csv(summary.layers, written(summary, "csv", columns=("name", "parameters", "macs", "connections")))


def check_csv(rows: tuple[LayerSummary, ...], text: str) -> None:
    read = [*csv.DictReader(io.StringIO(text))]
    assert len(read) == len(rows)
    for row, cells in zip(rows, read, strict=True):
        values = [cells[key] for key in cells if key and key.lower() in ("parameters", "macs", "connections")]
        wanted = [row.parameters, row.macs, row.connections]
        for cell, value in zip(values, wanted, strict=True):
            is_right = not cell.isdecimal() if isinstance(value, Inexact) else cell == str(value)
            assert is_right, (row.name, cells)


def check_explain(drawn: Drawn) -> None:
    """The last line of every explanation is the summary's number."""
    network = loaded(drawn)
    for row in network.layers:
        explanation = network.explain(row.name)
        assert str(explanation)
        values = {(part.title, step.label): step.value for part in explanation.sections for step in part.steps}
        shape = [value for (title, label), value in values.items() if title == "output shape" and len(label) > 1]
        assert product(shape) == product(row.output_shape), row.name
        assert _sum(values, "parameters") == row.parameters, row.name
        assert _sum(values, "buffers") == row.buffers, row.name
        found = {
            label.partition(" (")[0].replace(" ", "_"): value
            for (title, label), value in values.items()
            if title == "operations"
        }
        exact = {kind: count for kind, count in row.operations.items() if not isinstance(count, Inexact)}
        assert found.items() >= exact.items(), row.name
        if not isinstance(row.connections, Inexact):
            assert values.get(("connections", "connections"), 0) == row.connections, row.name
        _check_explained_field(values, row)


def _sum(values: dict[tuple[str, str], Any], title: str) -> Any:
    found = {label: value for (section, label), value in values.items() if section == title}
    return found.get("together", next(reversed(found.values()), 0))


def _check_explained_field(values: dict[tuple[str, str], Any], row: LayerSummary) -> None:
    field = row.receptive_field
    if field is None or row.receptive_field is None:
        return
    for number, axis in enumerate(FIELD_AXES.get(len(field.axes), ())):
        for what in ("size", "jump", "center"):
            explained = values.get(("receptive field", f"{axis}: {what}"))
            wanted = getattr(field, what)[number]
            if isinstance(explained, int | Fraction) and isinstance(wanted, int | Fraction):
                assert explained == wanted, (row.name, axis, what)


def check_lint(drawn: Drawn) -> None:
    """Every finding has a code and a text; findings that the spec ignores everywhere are left out, and no others."""
    network = loaded(drawn)
    ignored = [entry for entry in tomllib.loads(drawn.text).get("ignore", ()) if _holds(entry, drawn)]
    everywhere, somewhere = (
        {rule.code for rule in RULES for entry in ignored if ("layers" in entry) == there and _means(entry, rule)}
        for there in (False, True)
    )
    found, every = network.check(), network.check(ignored=True)
    assert all(one.code and str(one) for one in [*found, *every])
    for code in {rule.code for rule in RULES} - somewhere - {"I602"}:
        wanted = [] if code in everywhere else [str(one) for one in every if one.code == code]
        assert [str(one) for one in found if one.code == code] == wanted, code


def _holds(entry: dict[str, Any], drawn: Drawn) -> bool:
    return {"training": drawn.training, "not training": not drawn.training}.get(entry.get("when", ""), True)


def _means(entry: dict[str, Any], rule: Rule) -> bool:
    return rule.name == entry["code"] or rule.code.startswith(entry["code"])


def check_ranges(drawn: Drawn) -> None:
    """The network's own size works and fits its weights; all layers fit exactly at the working sizes."""
    network = loaded(drawn)
    for found in network.input_ranges():
        assert found.size in found.works
        assert found.size in found.same_weights
        for size in {*found.works.around(found.size), *found.no_remainder.around(found.size)}:
            if all(known.tried is None or size <= known.tried for known in (found.works, found.no_remainder)):
                graph = resized(network.graph, [*found.axes], {found.size: size})
                context = AnalysisContext(graph)
                refused = context.problems or check_in_place(context)
                assert (size in found.works) == (not refused), (size, found.works)
                assert size not in found.no_remainder or size in found.works, (size, found.no_remainder)


def check_unit_fields(drawn: Drawn) -> None:
    """Units at corners, at edges and in the middle see nothing outside their field, or have no positions.

    A walk back from a unit finds its positions, a fold from the inputs its field. `check_fields` checks that the unit
    sees no fewer.
    """
    network = loaded(drawn)
    for row in network.layers[:: -(-len(network.layers) // MOST_ASKED) or 1]:
        try:
            middle = network.receptive_field(row.name)
        except archcalc.UsageError:
            continue
        last = [count - 1 for count in middle.units]
        for unit in ([0] * len(last), last, [count // 2 for count in last], [0, *last[1:]]):
            found = network.receptive_field(row.name, unit)
            _check_within_field(row.name, found)


def _check_within_field(name: str, found: NeuronField) -> None:
    seen, field = found.clipped(found.last), found.last.sees
    if field is None:
        assert seen is None, (name, found.last.unit, seen)
    elif seen is not None:
        pairs = zip(seen, field, strict=True)
        assert all(low <= first and last <= high for (first, last), (low, high) in pairs), (name, found.last.unit)
