"""Captions of the report, rendered as Snakemake renders them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docutils.core import publish_parts
from jinja2 import Environment, StrictUndefined

CAPTIONS = Path(__file__).resolve().parents[1] / "workflow" / "report"
# Nothing is escaped, as in Snakemake: a caption is reStructuredText, and it is docutils that makes
# HTML of it. Unlike there, a name that is not defined is an error.
ENVIRONMENT = Environment(  # noqa: S701 (see above)
    trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
)


def caption(file: str, config: dict[str, Any], **wildcards: str) -> str:
    """The text of a caption, on one line.

    Args:
        file: name of the file in workflow/report, without its suffix.
        config: configuration of the study.
        wildcards: those of the job that made the output.

    Raises:
        docutils.utils.SystemMessage: it is no sound reStructuredText.
        jinja2.UndefinedError: it uses a name that nobody gives.
    """
    source = (CAPTIONS / f"{file}.rst").read_text(encoding="utf-8")
    job = SimpleNamespace(config=config, wildcards=SimpleNamespace(**wildcards))
    text = ENVIRONMENT.from_string(source).render(snakemake=job)
    publish_parts(text, writer="html", settings_overrides={"halt_level": 2, "report_level": 2})
    return " ".join(text.split())
