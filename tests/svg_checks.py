"""Checks of every SVG, and its contents."""

from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "rect", "polygon", "polyline", "path", "circle", "text", "image"}


def check_safe(text: str, images: int = 0) -> ElementTree.Element:
    """The SVG is well-formed and accessible, and has only shapes and words: no scripts, no links."""
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert all(root[place].text for place in (0, 1))
    assert len((root.get("viewBox") or "").split()) == 4
    pictures = 0
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ELEMENTS
        for key, value in element.attrib.items():
            assert not key.lower().startswith("on")
            assert key not in ("style", "id")
            assert "url(" not in value
            if key.endswith("href"):
                assert element.tag == f"{SVG}image"
                assert value.startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))
                pictures += 1
    assert pictures == images
    return root


def texts(drawing: str) -> list[str]:
    """The words, line by line."""
    return [element.text or "" for element in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


def boxes(drawing: str, kind: str) -> list[tuple[float, float]]:
    """Width and height of the front faces, from left to right as they are drawn."""
    rects = ElementTree.fromstring(drawing).iter(f"{SVG}rect")
    found = [element for element in rects if kind in (element.get("class") or "").split()]
    return [(float(element.get("width", "0")), float(element.get("height", "0"))) for element in found]
