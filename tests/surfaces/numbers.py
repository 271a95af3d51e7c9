"""Numbers derived from the summary's: conventions, budgets, comparisons, rooflines, batches."""

import math

from networks import Drawn

import archcalc
from archcalc.analysis.measures import MEASURES
from archcalc.numbers.bounds import Inexact, certain, known
from surfaces.runner import loaded


def check_reconcile(drawn: Drawn) -> None:
    """The terms of every convention add up to its total, and so do the layers, and the samples of a batch."""
    network, single = loaded(drawn), drawn.load(batch=1).reconcile()
    found = network.reconcile()
    assert found.to_dict()
    for name, count in found.counts.items():
        assert any(isinstance(layer, Inexact) for layer in count.layers) == isinstance(count.total, Inexact), name
        if not isinstance(count.total, Inexact):
            assert sum(certain(term.value) for term in count.terms) == count.total, name
            assert sum(count.layers) == count.total, name
            batch = 1 if name == "connections" else network.batch
            assert count.total == batch * single.counts[name].total, name
    assert found.counts["macs"].total == network.totals.macs


def check_budget(drawn: Drawn) -> None:
    """A network keeps a budget of its own numbers, and no tighter one; an unknown quantity keeps none."""
    network = loaded(drawn)
    if network.check_budget(None, {"layers": 1}):
        return  # the budgets that the generator writes allow no fewer layers
    for name, measure in MEASURES.items():
        value = measure.whole(network.context).value
        number, inexact = known(value), isinstance(value, Inexact)
        if number is None:
            assert [found.code for found in network.check_budget({name: 10**9})] == ["B503"], name
            continue
        assert [found.code for found in network.check_budget({name: number})] == ["B503"] * inexact, name
        assert not network.check_budget(None, {name: number}), name
        tighter = [found.code for found in network.check_budget(None, {name: number + 1})]
        assert tighter == ["B503" if inexact else "B502"], name
        if number:
            assert [found.code for found in network.check_budget({name: number - 1})] == ["B501"], name


def check_compare(drawn: Drawn) -> None:
    """A network equals itself, and every layer is paired with itself."""
    network = loaded(drawn)
    found = archcalc.compare([network, network])
    assert str(found)
    for name, total in found.totals.items():
        first, second = total.measured
        assert first == second, name
        for difference in total.differences:
            exact = isinstance(first.value, int)
            assert difference.absolute == 0 if exact else isinstance(difference.absolute, Inexact | None), name
    assert [row.layers[0] and row.layers[0].name for row in found.layers] == [row.name for row in network.layers]
    for row in found.layers:
        assert row.layers[0] == row.layers[1]
        assert all(one == other for one, other in row.sums.values())


def check_roofline(drawn: Drawn) -> None:
    """No layer is faster than its bytes and its operations allow, and the network takes the sum of its layers."""
    network = loaded(drawn)
    found = network.roofline("a100")
    roof = found.roof
    assert [row.name for row in found.layers] == [row.name for row in network.layers]
    for row, layer in zip(found.layers, network.layers, strict=True):
        operations = known(row.operations) or 0
        least = max(operations / roof.operations_per_second, row.bytes_moved / roof.bytes_per_second)
        assert math.isclose(row.seconds, least, rel_tol=1e-9), row.name
        if known(layer.macs):
            assert row.operations == layer.flops, row.name
    assert found.to_dict()
