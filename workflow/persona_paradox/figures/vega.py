"""Figures of Vega-Lite: one specification and one table, for papers and for the report.

A module of such a figure has `rows(tables, settings)`, a table, and `spec(settings)`, a
specification whose data set is called `rows`. Lengths in it are points.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import matplotlib
import polars as pl
import vl_convert

from ..files import canonical_json
from . import fonts, ink, pdf

# The version of the language that figures are written in, and that the report's page reads.
_VERSION = "v6.4"
_POINTS_PER_MM = 72 / 25.4


def points(mm: float) -> float:
    """A length in points."""
    return mm * _POINTS_PER_MM


def has_spec(module: ModuleType) -> bool:
    """Whether a module of a figure is one of Vega-Lite."""
    return hasattr(module, "spec")


def report_figure(
    module: ModuleType, tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The specification of a figure with its rows in it, as the report shows it.

    Args:
        module: of the figure (`figures/catalogue.py`).
        tables: those that the figure needs, by id.
        settings: the figures' settings.
    """
    rows: pl.DataFrame = module.rows(tables, settings)
    spec: dict[str, Any] = module.spec(settings)
    if "facet" in spec:
        # Vega-Lite sorts panels by their names, whatever is said of no order.
        panels = rows[spec["facet"]["field"]].unique(maintain_order=True).to_list()
        spec = {**spec, "facet": {**spec["facet"], "sort": panels}}
    families = fonts.families(ink.characters([rows, spec]))
    config = {
        "background": "white",
        "font": ", ".join([*families, "sans-serif"]),
        "view": {"stroke": None},
        "axis": {
            "labelFontSize": ink.SMALL_PT,
            "titleFontSize": ink.TEXT_PT,
            "titleFontWeight": "normal",
            "labelColor": ink.DARK,
            "titleColor": ink.DARK,
            "domainColor": ink.MIDDLE,
            "tickColor": ink.MIDDLE,
            "domainWidth": 0.5,
            "tickWidth": 0.5,
            "tickSize": 2,
            "gridColor": ink.PALE,
            "labelLimit": 0,
        },
        "legend": {"labelFontSize": ink.TEXT_PT, "titleFontSize": ink.TEXT_PT, "labelLimit": 0},
        "header": {"labelFontSize": ink.PANEL_PT, "labelFontWeight": "bold", "labelLimit": 0},
        "title": {"fontSize": ink.TITLE_PT, "subtitleFontSize": ink.TEXT_PT},
        "text": {"fontSize": ink.SMALL_PT, "color": ink.DARK},
        "rule": {"strokeWidth": 0.9},
        "aria": True,
    }
    return {
        "config": config,
        **spec,
        "data": {"name": "rows"},
        "datasets": {"rows": rows.to_dicts()},
    }


def save(spec: Mapping[str, Any], path: Path, form: Literal["pdf", "png", "json"]) -> None:
    """Save a specification with its rows; equal ones give equal bytes."""
    if form == "json":
        path.write_text(canonical_json(dict(spec)), encoding="utf-8")
        return
    _own_font()
    # Nothing is loaded from the web.
    given: dict[str, Any] = {"vl_version": _VERSION, "allowed_base_urls": []}
    if form == "pdf":
        path.write_bytes(pdf.in_order(vl_convert.vegalite_to_pdf(dict(spec), **given)))
    else:
        scale = ink.PNG_DPI / 72
        path.write_bytes(vl_convert.vegalite_to_png(dict(spec), scale=scale, ppi=72, **given))


@cache
def _own_font() -> None:
    """Make the font known that comes with matplotlib: the same outlines on every machine."""
    vl_convert.register_font_directory(str(Path(matplotlib.get_data_path()) / "fonts/ttf"))
