"""The generator of random networks; it uses the whole spec language.

    from networks import networks, Wishes

    @given(networks())                      # Hypothesis: failures shrink
    def test(drawn: Drawn) -> None:
        network = drawn.load()              # archcalc.loads(drawn.text, batch=drawn.batch, …)

    network_of(seed)                        # the same generator without Hypothesis: fast, one network for each number

`networks(Wishes(...))` narrows it: `types` (allowed layer types), `inputs` (kinds of inputs), `sizes`,
`layers` (largest number of entries), `language=False` (a plain graph of layers), `dtypes=False` (float32 inputs only),
`several=False` (one input only).

How it works: entries are drawn one after the other, for a known input shape. archcalc loads each by itself, and it is
kept if it fits. `choice.py` makes decisions, `layers.py` draws the fields of every layer type, `values.py` names and
expressions, `entries.py` layers and branches, `blocks.py` blocks, and `graphs.py` whole specs. `scope.py` holds the
edges that can be read, `afterwards.py` changes finished specs, `text.py` writes TOML, and `shrink.py` reduces the text
of a spec that shows a fault.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from hypothesis import reject
from hypothesis import strategies as st

import archcalc
from networks.afterwards import Finisher, Values
from networks.choice import Choice, Seeded, Shrinkable
from networks.entries import Wishes
from networks.graphs import Writer
from networks.text import to_toml

__all__ = ["Drawn", "Wishes", "network_of", "networks"]


class Drawn(NamedTuple):
    """A spec that loads, and the arguments to load it with. `variables` are names and values."""

    text: str
    training: bool = False
    batch: int = 1
    variables: Values = ()

    def load(self, variables: Mapping[str, Any] = MappingProxyType({}), **arguments: Any) -> archcalc.Network:
        own = {"training": self.training, "batch": self.batch, "variables": {**dict(self.variables), **variables}}
        return archcalc.loads(self.text, **{**own, **arguments})


def write(choice: Choice, wishes: Wishes) -> Drawn | None:
    """A network, decision by decision; None if it does not load."""
    writer = Writer(choice, wishes)
    data = writer.write()
    if data is None:
        return None
    finisher = Finisher(writer, data)
    variables = finisher.finish()
    drawn = Drawn(to_toml(data, choice), writer.training, choice.of([1, 2, 3]), variables)
    mixed = finisher.mixed(variables) if writer.rare(8) else None
    return drawn._replace(text=to_toml(mixed, choice)) if mixed else drawn


@st.composite
def networks(draw: st.DrawFn, wishes: Wishes = Wishes()) -> Drawn:  # noqa: B008  # it is frozen
    """Networks of all kinds."""
    return write(Shrinkable(draw), wishes) or reject()


def network_of(seed: int, wishes: Wishes = Wishes()) -> Drawn | None:  # noqa: B008
    """The network of a seed; None for the few seeds without one."""
    return write(Seeded(seed), wishes)
