"""Renders the page. Jinja fills `page.html.jinja` and escapes all text from specs.

The page fetches nothing: its policy allows only its own script and style. Needs Jinja and Matplotlib. The output is
deterministic.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from archcalc.analysis.comparison import compare
from archcalc.analysis.comparison_document import measured_texts
from archcalc.errors import UsageError, printable
from archcalc.network import Network
from archcalc.page.bench import BenchRow
from archcalc.page.content import HEADERS, MOST_LAYERS, Allowance, depict, describe, is_large
from archcalc.page.dark import dark_rules
from archcalc.page.plots import plot_sizes

try:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup
except ModuleNotFoundError as error:
    if error.name not in ("jinja2", "markupsafe"):
        raise
    raise UsageError("a report needs Jinja, which is not installed", "pip install 'archcalc[report]'") from None

Progress = Callable[[int, int], None]


def render_page(
    networks: Mapping[str, Network],
    bench: Sequence[BenchRow] = (),
    progress: Progress = lambda _done, _all: None,
    version: int | None = None,
    error: str | None = None,
) -> str:
    """Render a page about networks, by label, as HTML.

    `bench` are measured times. `progress` is called with the numbers of finished and of all networks. With a `version`,
    the page asks its server for a newer version. `error` is the error of a newer spec than the one on the page. Raises
    UsageError without Jinja or Matplotlib.
    """
    pictures, large = [], is_large(networks.values())
    for number, network in enumerate(networks.values()):
        pictures.append(depict(network, number, large))
        progress(number + 1, len(networks))
    allowance = Allowance(pictures, sum(len(network.layers) for network in networks.values()))
    sections = [
        describe(network, label, number, pictures[number], allowance)
        for number, (label, network) in enumerate(networks.items())
    ]
    title = " · ".join(printable(section.title) for section in sections)
    parts = {"sections": sections, "comparison": _comparison(networks), "bench": bench, "error": error}
    return _fill("error" if error else title, version, parts)


def _fill(title: str, version: int | None, parts: dict[str, Any]) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["printable"] = printable
    live = "" if version is None else f"const version = {version};\n{_part('live.js')}"
    scripts = [script for script in (_part("page.js"), live) if script]
    digests = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    asking = "; connect-src 'self'" if live else ""
    return environment.from_string(_part("page.html.jinja")).render(
        title=title,
        columns=len(HEADERS),
        most=MOST_LAYERS,
        style=Markup(_part("page.css") + dark_rules()),
        scripts=[Markup(script) for script in scripts],
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src {digests}; base-uri 'none'{asking}",
        **parts,
    )


def _part(name: str) -> str:
    return (files("archcalc.page") / name).read_text("utf-8")


def _comparison(networks: Mapping[str, Network]) -> dict[str, Any] | None:
    """The table of totals and the plot; None for a single network."""
    if len(networks) < 2:
        return None
    found = compare({label: network.context for label, network in networks.items()})
    rows = [(total.title, measured_texts(total.measured)) for total in found.totals.values()]
    return {"labels": found.labels, "rows": rows, "plot": Markup(plot_sizes(networks))}
