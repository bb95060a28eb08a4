"""The page of the report: HTML that holds its programs and its data."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup


def page(
    folder: Path,
    scripts: Sequence[str],
    chunks: Iterable[tuple[str, str]],
    values: Mapping[str, Any],
    beside: str | None,
) -> str:
    """The page as HTML.

    Args:
        folder: of the templates.
        scripts: the programs of the page, in order.
        chunks: name and content of those that stand in it.
        values: of the template, `index` among them.
        beside: folder of the chunks, seen from the page; None where they stand in it.

    Raises:
        ValueError: a program would end its own element.
    """
    if any("</script" in script.lower() for script in scripts):
        raise ValueError("a script holds the end of its own element")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    allowed = [f"'sha256-{_csp_hash(script)}'" for script in scripts]
    # From a disk, `file:` is where the page itself comes from; from a server, 'self'.
    allowed += ["'self'", "file:"] if beside is not None else []
    index = dict(values["index"]) | {"beside": beside}
    return environment.get_template("report.html").render(
        **(dict(values) | {"index": index}),
        index_text=Markup(_inert(index)),  # noqa: S704 - nothing in it ends its element
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own and the libraries'
        style=Markup((folder / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own
        allowed=" ".join(allowed),
        chunks=list(chunks),
    )


def _inert(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _csp_hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
