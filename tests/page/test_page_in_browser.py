"""The page in a real browser: clicks, sorting and hovering work, and nothing is requested."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.diagram.style import STYLES, DrawingStyle

pytestmark = pytest.mark.browser

FROZEN = """
name = "frozen"
inputs.image = [3, 8, 8]
layers = [{ type = "conv2d", out_channels = 4, kernel_size = 3, trainable = false }]
"""
UPSAMPLED = """
name = "upsampled"
inputs.image = [3, 8, 8]
layers = [
    { name = "pool", type = "max_pool2d", kernel_size = 2, stride = 2 },
    { name = "up", type = "upsample", scale_factor = 2 },
    { name = "upper", type = "upsample", scale_factor = 2 },
    { name = "flat", type = "adaptive_avg_pool2d", output_size = 1 },
]
"""
# A hostile spec, whose names try to run scripts.
HOSTILE = """
name = "<script>document.title = 'owned'</script>"
source = "javascript:alert(1)"
layers = [
    { name = '"];<img src=x onerror=alert(1)>', type = "conv2d", out_channels = 4, kernel_size = 3 },
    { name = "{{ 7 * 7 }}$x$", type = "relu" },
]
[inputs]
image = [3, 32, 32]
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from browser import chromium

    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def opened(driver: Any, folder: Path, **networks: archcalc.Network) -> str:
    from browser import requests

    from archcalc.page.page import render_page

    path = folder / "page.html"
    path.write_text(render_page(networks), "utf-8")
    requests(driver)  # requests of the previous page
    driver.get(path.as_uri())
    return path.as_uri()


def names(driver: Any) -> list[str]:
    """The visible rows, from top to bottom."""
    script = """return [...document.querySelectorAll("tr[data-layers]")].filter((row) => row.checkVisibility())
        .map((row) => row.cells[0].textContent.trim())"""
    found: list[str] = driver.execute_script(script)
    return found


def find(driver: Any, selector: str) -> Any:
    return driver.find_element("css selector", selector)


def views(driver: Any, text: str) -> Any:
    """A button above the table."""
    return next(button for button in driver.find_elements("css selector", ".views button") if button.text == text)


def header(driver: Any, column: int) -> Any:
    return find(driver, f"table.sortable thead th:nth-child({column}) button")


def test_sorting_goes_down_up_and_back(driver: Any, tmp_path: Path) -> None:
    network = archcalc.load("lenet5")
    opened(driver, tmp_path, lenet5=network)
    before = [row.name for row in network.layers]
    assert names(driver) == before
    header(driver, 4).click()
    by_parameters = sorted(network.layers, key=lambda row: -row.parameters)
    assert names(driver) == [row.name for row in by_parameters]
    assert find(driver, "th[aria-sort]").get_attribute("aria-sort") == "descending"
    header(driver, 4).click()
    assert names(driver)[-1] == by_parameters[0].name
    header(driver, 4).click()
    assert names(driver) == before
    header(driver, 1).click()
    assert sorted(names(driver), key=str.casefold)[0] == names(driver)[0]


def test_jumps_are_sorted_by_their_size(driver: Any, tmp_path: Path) -> None:
    """Behind an upsampling they are fractions of a pixel, and 0 where all units see the same."""
    network = archcalc.loads(UPSAMPLED)
    opened(driver, tmp_path, upsampled=network)
    header(driver, 7).click()
    assert names(driver) == ["pool", "up", "upper", "flat"]
    header(driver, 7).click()
    assert names(driver) == ["flat", "upper", "up", "pool"]


@pytest.mark.slow
def test_layers_alone_are_sorted_together(driver: Any, tmp_path: Path) -> None:
    network = archcalc.load("resnet50")
    opened(driver, tmp_path, resnet50=network)
    alone = views(driver, "Layers alone")
    header(driver, 5).click()
    alone.click()
    by_macs = sorted(network.layers, key=lambda row: -(row.macs or 0))
    assert names(driver) == [row.name for row in by_macs]
    assert alone.get_attribute("aria-pressed") == "true"
    header(driver, 5).click()
    header(driver, 5).click()
    assert names(driver) == [row.name for row in network.layers]
    alone.click()
    assert names(driver) == [row.name for row in network.collapsed(1).layers]


def test_a_card_leads_to_its_row_and_a_row_to_its_card(driver: Any, tmp_path: Path) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.support.wait import WebDriverWait

    network = archcalc.load("resnet50")
    opened(driver, tmp_path, resnet50=network)
    views(driver, "Expand all").click()
    place = network.position("layer4.1.spatial.conv")
    row = find(driver, f'tr[data-layers="{place}"]')
    driver.execute_script("arguments[0].scrollIntoView({ block: 'center' })", row)
    ActionChains(driver).move_to_element(row).perform()
    (card,) = cards_marked(driver)
    WebDriverWait(driver, 20).until(lambda driver: is_inside(driver, card, ".diagram figure"))
    driver.execute_script("scrollTo(0, 0)")
    ActionChains(driver).move_to_element(find(driver, "h1")).perform()
    WebDriverWait(driver, 20).until(lambda driver: not cards_marked(driver))
    views(driver, "Collapse all").click()
    place = network.position("stem.maxpool")
    card = find(driver, f"svg .node.layer-{place}")
    driver.execute_script("arguments[0].closest('figure').scrollTop = 0", card)
    ActionChains(driver).move_to_element(card).click().perform()
    row = find(driver, f'tr[data-layers="{place}"]')
    assert is_inside(driver, row, ".layers .wide")
    assert driver.switch_to.active_element.text == "maxpool"  # in its block, which has been opened
    assert names(driver)[:4] == ["stem", "stem.conv1", "stem.relu", "stem.maxpool"]


def is_inside(driver: Any, element: Any, pane: str) -> bool:
    """Whether an element is completely visible in a scrolling part of the page."""
    script = """const [inner, outer] = [arguments[0], arguments[1]].map((each) => each.getBoundingClientRect());
        return outer.top <= inner.top && inner.bottom <= outer.bottom"""
    return bool(driver.execute_script(script, element, find(driver, pane)))


def test_a_name_is_short_in_its_block_and_whole_outside(driver: Any, tmp_path: Path) -> None:
    network = archcalc.load("resnet18")
    opened(driver, tmp_path, resnet18=network)
    row = find(driver, f'tr[data-layers="{network.position("layer2.1.second.conv")}"] th')
    views(driver, "Expand all").click()
    assert row.text == "conv"
    block = next(cell for cell in driver.find_elements("css selector", "tbody.block th") if cell.text.endswith("2.1"))
    assert block.text.endswith("layer2.1")  # a bare number says nothing
    views(driver, "Layers alone").click()
    assert row.text == "layer2.1.second.conv"


def test_the_contents_lead_to_every_section(driver: Any, tmp_path: Path) -> None:
    opened(driver, tmp_path, lenet5=archcalc.load("lenet5"))
    script = """return [...document.querySelectorAll("nav a")]
        .map((link) => [link.textContent, document.querySelector(link.getAttribute("href"))?.textContent])"""
    links = driver.execute_script(script)
    headings = [found.text for found in driver.find_elements("css selector", "h2")]
    assert links == [[heading, heading] for heading in headings]
    assert headings == ["Findings", "Over the depth", "Diagram", "Layers", "Counts of other tools"]


def test_a_row_opens_its_explanation(driver: Any, tmp_path: Path) -> None:
    network = archcalc.load("lenet5")
    opened(driver, tmp_path, lenet5=network)
    explanation = find(driver, "tr.explanation pre")
    assert not explanation.is_displayed()
    find(driver, "tr[data-layers] summary").click()
    assert explanation.is_displayed()
    assert explanation.text == str(network.explain("C1"))
    find(driver, "tr[data-layers] summary").send_keys(" ")  # by the keyboard
    assert not explanation.is_displayed()


def test_pointing_marks_row_and_card(driver: Any, tmp_path: Path) -> None:
    from selenium.webdriver import ActionChains

    opened(driver, tmp_path, lenet5=archcalc.load("lenet5"))
    row, card = find(driver, 'tr[data-layers="2"]'), find(driver, "svg .node.layer-2")
    for pointed, other in ((row, card), (card, row)):
        ActionChains(driver).move_to_element(pointed).perform()
        assert "marked" in other.get_attribute("class").split()
        assert len(driver.find_elements("css selector", "svg .marked")) == 1
        ActionChains(driver).move_to_element(find(driver, "h1")).perform()
        assert driver.find_elements("css selector", ".marked") == []


def test_blocks_collapse(driver: Any, tmp_path: Path) -> None:
    network = archcalc.load("m5")
    opened(driver, tmp_path, m5=network)
    collapsed = names(driver)
    assert collapsed == [row.name for row in network.collapsed(1).layers]
    button = find(driver, "tbody.block button")
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    inside = [row.name for row in network.layers if row.name.startswith("stage1.")]
    place = collapsed.index("stage1") + 1
    assert names(driver) == [*collapsed[:place], *inside, *collapsed[place:]]
    assert button.get_attribute("aria-expanded") == "true"
    header(driver, 4).click()
    visible = names(driver)
    assert visible[0] == "stage4"
    place = visible.index("stage1")
    assert {*visible[place + 1 : place + 1 + len(inside)]} == {*inside}


@pytest.mark.slow
def test_nested_blocks_collapse(driver: Any, tmp_path: Path) -> None:
    network = archcalc.load("resnet18")
    opened(driver, tmp_path, resnet18=network)
    assert names(driver) == [row.name for row in network.collapsed(1).layers]
    views(driver, "Expand all").click()
    everything = names(driver)
    assert [name for name in everything if name in {row.name for row in network.layers}] == [
        row.name for row in network.layers
    ]
    assert "layer2.0" in everything
    inner = next(
        button
        for button in driver.find_elements("css selector", "tbody.block button")
        if button.get_attribute("textContent") == "layer2.0"
    )
    inner.click()
    assert names(driver) == [name for name in everything if not name.startswith("layer2.0.")]
    views(driver, "Collapse all").click()
    assert names(driver) == [row.name for row in network.collapsed(1).layers]
    next(
        button for button in driver.find_elements("css selector", "tbody.block button") if "layer2" in button.text
    ).click()
    assert names(driver) == [
        "layer2" if name == "layer2" else name
        for row in network.collapsed(1).layers
        for name in ([row.name, "layer2.0", "layer2.1"] if row.name == "layer2" else [row.name])
    ]
    header(driver, 4).click()
    views(driver, "Expand all").click()
    shown = names(driver)
    assert sorted(shown) == sorted(everything)
    assert [name for name in shown if name.startswith("layer2")][:2] == ["layer2", "layer2.1"]  # it has more parameters


def test_the_row_of_a_copy_marks_the_card_that_stands_for_it(driver: Any, tmp_path: Path) -> None:
    from selenium.webdriver import ActionChains

    network = archcalc.load("resnet50")
    opened(driver, tmp_path, resnet50=network)
    views(driver, "Expand all").click()
    place = network.position("layer1.2.spatial.conv")
    row = find(driver, f'tr[data-layers="{place}"]')
    driver.execute_script("arguments[0].scrollIntoView()", row)
    ActionChains(driver).move_to_element(row).perform()
    assert [f"layer-{place}" in card.get_attribute("class").split() for card in cards_marked(driver)] == [True]


def cards_marked(driver: Any) -> list[Any]:
    found: list[Any] = driver.find_elements("css selector", "svg .node.marked")
    return found


def media(driver: Any, kind: str, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": features})


def colors(driver: Any, selector: str, what: str) -> set[str]:
    """The colours that elements are drawn in, as `#rrggbb`."""
    script = """return [...document.querySelectorAll(arguments[0])]
        .map((found) => getComputedStyle(found)[arguments[1]])"""
    found = driver.execute_script(script, selector, what)
    numbers = (re.findall(r"[0-9]+", color)[:3] for color in found if color != "none")
    return {"#" + "".join(f"{int(number):02x}" for number in three) for three in numbers}


@pytest.mark.slow
def test_a_dark_screen_has_a_dark_diagram(driver: Any, tmp_path: Path) -> None:
    """Every colour of the drawing is one of the dark style, but not in print."""
    opened(driver, tmp_path, unet=archcalc.load("unet"), frozen=archcalc.loads(FROZEN))
    light, dark = (colors_of(STYLES[name]) for name in ("color", "dark"))
    for kind, scheme, wanted in (("screen", "dark", dark), ("screen", "light", light), ("print", "dark", light)):
        media(driver, kind, scheme)
        drawn = colors(driver, ".diagram svg [fill]", "fill") | colors(driver, ".diagram svg [stroke]", "stroke")
        assert drawn
        assert drawn <= wanted
    media(driver, "", "")


def colors_of(style: DrawingStyle) -> set[str]:
    paints = [*style.paints.values(), style.frame]
    pale = {style.pale(paint.fill) for paint in paints}
    return (
        {color for paint in paints for color in paint} | pale | {style.background, style.text, style.muted, style.edge}
    )


def test_a_printed_page_shows_open_rows(driver: Any, tmp_path: Path) -> None:
    """Print is black on white, without buttons, and on as many sheets as necessary."""
    opened(driver, tmp_path, resnet18=archcalc.load("resnet18"))
    views(driver, "Expand all").click()
    find(driver, "tr[data-layers] summary").click()
    media(driver, "print", "dark")
    assert colors(driver, "body", "backgroundColor") == {"#ffffff"}
    assert colors(driver, "body", "color") == {"#000000"}
    assert not find(driver, ".views").is_displayed()
    assert find(driver, "tr.explanation pre").is_displayed()
    cut = """return [...document.querySelectorAll(".wide, figure, .diagram")]
        .filter((found) => !["visible"].includes(getComputedStyle(found).overflowX)).length"""
    assert driver.execute_script(cut) == 0
    assert (
        find(driver, "table.sortable thead").value_of_css_property("display") == "table-header-group"
    )  # on every sheet
    media(driver, "", "")
    assert base64.b64decode(driver.print_page()).startswith(b"%PDF")


def test_nothing_leaves_the_page_and_the_console_is_empty(driver: Any, tmp_path: Path) -> None:
    from browser import console, requests

    hostile = archcalc.loads(HOSTILE)
    console(driver)
    address = opened(driver, tmp_path, hostile=hostile, lenet5=archcalc.load("lenet5"))
    assert requests(driver) == [address]
    assert console(driver) == []
    driver.execute_script("document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }))")
    assert any("Content Security Policy" in line for line in console(driver))


def test_a_name_is_text(driver: Any, tmp_path: Path) -> None:
    opened(driver, tmp_path, hostile=archcalc.loads(HOSTILE))
    assert find(driver, "h1").text == "<script>document.title = 'owned'</script>"
    assert driver.title == "<script>document.title = 'owned'</script>"
    assert names(driver) == [row.name for row in archcalc.loads(HOSTILE).layers]
    assert "<img src=x" in find(driver, "svg .node.layer-0").get_attribute("textContent")
    assert len(driver.find_elements("css selector", "script")) == 1
    assert driver.find_elements("css selector", "img") == []
    assert driver.find_elements("css selector", "a[href^=javascript]") == []


def test_identifiers_are_unique_and_references_lead_somewhere(driver: Any, tmp_path: Path) -> None:
    opened(driver, tmp_path, one=archcalc.load("lenet5"), other=archcalc.load("lenet5"))
    script = """const all = [...document.querySelectorAll("[id]")].map((element) => element.id);
        const labelled = [...document.querySelectorAll("[aria-labelledby]")];
        const wanted = labelled.map((element) => element.getAttribute("aria-labelledby"));
        for (const use of document.querySelectorAll("use")) wanted.push(use.getAttribute("href").slice(1));
        const lost = wanted.filter((name) => !document.getElementById(name));
        return [all.length, new Set(all).size, lost, wanted.length]"""
    count, different, lost, wanted = driver.execute_script(script)
    assert (count, lost) == (different, [])
    assert wanted > 20


@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_is_no_wider_than_the_window(driver: Any, tmp_path: Path, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    opened(driver, tmp_path, resnet=archcalc.load("resnet18"), lenet5=archcalc.load("lenet5"))
    wide, seen = driver.execute_script("const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    assert wide == seen <= width
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.slow
def test_without_a_script_rows_still_open(tmp_path: Path) -> None:
    from browser import chromium

    with chromium(tmp_path / "profile", script=False) as driver:
        opened(driver, tmp_path, lenet5=archcalc.load("lenet5"))
        assert driver.find_elements("css selector", "button") == []
        find(driver, "tr[data-layers] summary").click()
        assert find(driver, "tr.explanation pre").is_displayed()
