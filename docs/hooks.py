"""What MkDocs cannot do by itself: pages that live elsewhere in the project, and links to them.

A document stands once, where it is read on the disk, and its links work there. In the site, links
between documents are links between pages; a link to a file that is no page becomes its name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# Page of the site → the document that it is.
ELSEWHERE = {
    "configuration.md": "config/README.md",
    "benchmarks.md": "benchmarks/README.md",
    "faults.md": "tests/faults/README.md",
    "changes.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
}
_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\(([^()\s]+)\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the documents from elsewhere."""
    for page, document in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / document).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between documents into links between pages."""
    here = page.file.src_uri
    document = ELSEWHERE.get(here, f"docs/{here}")
    pages = {f"docs/{file.src_uri}": file.src_uri for file in files}
    pages |= {document: name for name, document in ELSEWHERE.items()}

    def link(found: re.Match[str]) -> str:
        image, text, address = found.groups()
        target, _, anchor = address.partition("#")
        if "://" in address or not target:
            return found[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(document), target))
        if file not in pages:
            # MkDocs warns of what is not there.
            return f"{text} (`{file}`)" if (ROOT / file).exists() else found[0]
        path = posixpath.relpath(pages[file], posixpath.dirname(here) or ".")
        return f"{image}[{text}]({path}{'#' * bool(anchor)}{anchor})"

    return _LINK.sub(link, markdown)
