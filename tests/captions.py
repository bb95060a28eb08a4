"""Captions of the report, rendered as Snakemake renders them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import yaml
from docutils.core import publish_parts
from jinja2 import Environment, StrictUndefined
from root import ROOT

CAPTIONS = ROOT / "workflow" / "report"
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


def assert_caption_tells(name: str) -> None:
    """The caption of a figure, or of a table, tells interval, seed and what the cases are."""
    of_table = name == "table"
    file = name if of_table else "figure"
    default = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    own = {"seed": 77, "limit": 12, "statistics": {"confidence": 0.999, "draws": 321}}
    for settings in (default, own, {}, {"statistics": None}):
        text = caption(file, settings, figure=name)
        assert "author-written and not clinically validated" in text
        assert "Not medical advice." in text
        assert "own definition" in text
    text = caption(file, own, figure=name)
    title = "table of the study" if of_table else name.replace("_", " ").capitalize()
    assert text.removeprefix("A ").startswith(f"**{title}")
    assert "99.9% " in text
    assert "321 " in text
    assert "77" in text
    assert "at most 12 items per task" in text
