"""Hooks of MkDocs: pages and pictures at the root of the repository are part of the site, too."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
}


def on_files(files: Files, config: Any) -> Files:
    """Add the documents of the root as pages, and the pictures that pages show."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text("utf-8")
        files.append(File.generated(config, page, content=re.sub(r"\]\(docs/", "](", _renamed(text))))
    for picture in sorted((ROOT / "pictures").iterdir()):
        if picture.suffix in (".svg", ".png"):
            files.append(File.generated(config, f"pictures/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links out of `docs/` lead to the root of the site, which is one folder nearer."""
    return _renamed(re.sub(r"\]\(((?:\.\./)*)\.\./((?:pictures/|[A-Z]+\.md)[^)]*)\)", r"](\1\2)", markdown))


def _renamed(markdown: str) -> str:
    return re.sub(r"(?<=[(/])([A-Z]+\.md)(?=[)#])", lambda found: PAGES.get(found[1], found[1]), markdown)
