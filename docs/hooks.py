"""Hooks of MkDocs that add documents and pictures at the root of the repository to the site."""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
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
    """Rewrite links out of `docs/`, since the root of the site is one folder nearer; resolve class names."""
    markdown = re.sub(r"^::: ([A-Z]\w+)$", lambda found: f"::: {_path_of(found[1])}", markdown, flags=re.M)
    return _renamed(re.sub(r"\]\(((?:\.\./)*)\.\./((?:pictures/|[A-Z]+\.md)[^)]*)\)", r"](\1\2)", markdown))


def _renamed(markdown: str) -> str:
    return re.sub(r"(?<=[(/])([A-Z]+\.md)(?=[)#])", lambda found: PAGES.get(found[1], found[1]), markdown)


def _path_of(name: str) -> str:
    """The full name of a class of archcalc, so that pages stay the same when it moves to another module."""
    defined = re.compile(rf"^class {name}\b", re.M)
    files = [file for file in (ROOT / "archcalc").rglob("*.py") if defined.search(file.read_text("utf-8"))]
    modules = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    if len(modules) > 1:  # then the class of the public API is meant
        public = (ROOT / "archcalc" / "api.py").read_text("utf-8")
        modules = [module for module in modules if f"from {module} import {name}" in public]
    if len(modules) != 1:
        raise PluginError(f"{len(modules)} classes are called {name}")
    return f"{modules[0]}.{name}"
