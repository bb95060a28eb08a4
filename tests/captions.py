"""Captions of Snakemake's report: of figures as the library writes them, of tables as it does."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import yaml
from docutils.core import publish_parts
from jinja2 import Environment, StrictUndefined
from root import ROOT

from persona_paradox.figures import captions
from persona_paradox.figures.catalogue import figures
from persona_paradox.schema import check_schema

CAPTIONS = ROOT / "workflow" / "report"
# Nothing is escaped, as in Snakemake: a caption is reStructuredText, and it is docutils that makes
# HTML of it. Unlike there, a name that is not defined is an error.
ENVIRONMENT = Environment(  # noqa: S701 (see above)
    trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
)
DEFAULT = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))


def table_caption(file: str, config: Mapping[str, Any]) -> str:
    """The caption of tables, on one line.

    Args:
        file: name of the file in workflow/report, without its suffix.
        config: configuration of the study.

    Raises:
        docutils.utils.SystemMessage: it is no sound reStructuredText.
        jinja2.UndefinedError: it uses a name that nobody gives.
    """
    source = (CAPTIONS / f"{file}.rst").read_text(encoding="utf-8")
    job = SimpleNamespace(config=config)
    return _line(ENVIRONMENT.from_string(source).render(snakemake=job))


def caption(figure: str, change: Mapping[str, Any] | None = None) -> str:
    """The caption of a figure in the default study with some keys changed, on one line.

    Raises:
        docutils.utils.SystemMessage: it is no sound reStructuredText.
        jinja2.UndefinedError: it uses a name that nobody gives.
    """
    settings = {**DEFAULT, "limits": {}, **(change or {})}
    check_schema(settings, "study", "config/config.yaml")
    return _line(captions.caption(figures()[figure], settings))


def _line(text: str) -> str:
    publish_parts(text, writer="html", settings_overrides={"halt_level": 2, "report_level": 2})
    return " ".join(text.split())


def assert_caption_tells(figure: str) -> None:
    """The caption of a figure tells interval, seed and what the cases are."""
    own = {"seed": 77, "limit": 12, "statistics": {"confidence": 0.999, "draws": 321}}
    for change in ({}, own, {"limit": None, "limits": {}}):
        _assert_warns(caption(figure, change))
    text = caption(figure, own)
    assert text.startswith(f"**{figures()[figure].title}")
    _assert_numbers(text)


def assert_table_caption_tells() -> None:
    """So does the caption of tables."""
    own = {"seed": 77, "limit": 12, "statistics": {"confidence": 0.999, "draws": 321}}
    for settings in (DEFAULT, own, {}, {"statistics": None}):
        _assert_warns(table_caption("table", settings))
    text = table_caption("table", own)
    assert text.startswith("A **table of the study")
    _assert_numbers(text)


def _assert_warns(text: str) -> None:
    assert "author-written and not clinically validated" in text
    assert "Not medical advice." in text
    assert "own definition" in text


def _assert_numbers(text: str) -> None:
    assert "99.9% " in text
    assert "321 " in text
    assert "77" in text
    assert "at most 12 items per task" in text
