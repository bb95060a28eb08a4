"""Vectors of steered personas, incoherent answers, and effects by dose: by hand."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from root import ROOT
from statsmodels.stats.proportion import proportion_confint

from persona_paradox.axis import doses, reading, vectors
from persona_paradox.axis.figures import steering_dose
from persona_paradox.engine.steering import SCHEMA
from persona_paradox.errors import InputError
from persona_paradox.figures import vega
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.views import views

VIEW: dict[str, Any] = {
    "towards": ["nurse"],
    "default": "none",
    "tasks": ["a", "b"],
    "depths": [0.5],
    "scale": 2.0,
    "cap": None,
}


def read(vectors_of: dict[str, list[float] | None], **more: Any) -> pl.DataFrame:
    """A table of readings: item → its vector."""
    rows = [
        {"item_id": id_, "layer": 3, "depth": 0.5, "vector": vector, "n_tokens": 8}
        | {"status": "no_answer" if vector is None else "ok"}
        | {key: values[place] for key, values in more.items()}
        for place, (id_, vector) in enumerate(vectors_of.items())
    ]
    return pl.DataFrame(rows, schema=reading.SCHEMA)


def two_tasks() -> dict[str, list[pl.DataFrame]]:
    none = [read({"1": [1.0, 0.0], "2": [3.0, 0.0]}), read({"3": [5.0, 1.0], "4": None})]
    nurse = [read({"1": [1.0, 2.0], "2": [3.0, 4.0]}), read({"3": [5.0, 4.0], "4": [9.0, 9.0]})]
    return {"none": none, "nurse": nurse}


def test_a_push_is_the_mean_difference_of_items_that_both_sides_have() -> None:
    (row,) = vectors.vector_rows(VIEW, two_tasks())
    assert row["vector"] == pytest.approx([0.0, 2.0 * (2 + 4 + 3) / 3])
    assert (row["layer"], row["n_items"], row["most"]) == (3, 3, None)
    assert pl.DataFrame([row], schema=SCHEMA).height == 1


def test_a_cap_is_a_quantile_of_the_default_along_the_vector() -> None:
    (row,) = vectors.vector_rows(VIEW | {"scale": None, "cap": 0.5}, two_tasks())
    assert row["vector"] == pytest.approx([0.0, 1.0])
    assert row["most"] == pytest.approx(np.median([0.0, 0.0, 1.0]))


def test_the_mean_of_roles_is_that_of_every_item() -> None:
    tables = two_tasks()
    tables["chef"] = [read({"1": [1.0, 0.0], "2": [3.0, 0.0]}), read({"3": None})]
    (row,) = vectors.vector_rows(VIEW | {"towards": ["nurse", "chef"], "scale": 1.0}, tables)
    assert row["vector"] == pytest.approx([0.0, (1 + 2 + 3) / 3])


def test_without_a_vector_nothing_is_made() -> None:
    tables = two_tasks()
    with pytest.raises(InputError, match="have the same readings in a and b"):
        list(vectors.vector_rows(VIEW, tables | {"nurse": tables["none"]}))
    missing = {"none": tables["none"], "nurse": [read({"1": None}), read({"3": None})]}
    with pytest.raises(InputError, match="no item of a and b has readings of nurse and of none"):
        list(vectors.vector_rows(VIEW, missing))


RULE = {"perplexity": 2.0, "repeated": 0.5}


def answered(logprobs: list[float | None], repeats: list[float | None]) -> pl.DataFrame:
    items = {str(i): None if one is None else [0.0] for i, one in enumerate(logprobs)}
    return read(items, mean_logprob=logprobs, repeated=repeats)


def test_incoherent_answers_are_those_above_either_threshold() -> None:
    edge = -log(30.0)
    table = answered([-1.0, edge - 0.01, edge + 0.01, -0.1, None], [0.0, 0.0, None, 0.5, None])
    # Behind every layer an answer stands once more.
    told = doses.coherence(pl.concat([table, table]), 30.0, 0.5, 0.95)
    assert (told["n_read"], told["n_missing"], told["n_incoherent"]) == (4, 1, 2)
    low, high = proportion_confint(2, 4, 0.05, method="wilson")
    assert (told["incoherent_low"], told["incoherent_high"]) == pytest.approx((low, high))
    assert told["perplexity"] == pytest.approx(np.exp(-np.median([-1.0, edge, edge, -0.1])), 0.05)
    nothing = doses.coherence(answered([None], [None]), 30.0, 0.5, 0.95)
    assert (nothing["n_read"], nothing["n_incoherent"]) == (0, 0)
    assert "incoherent" not in nothing


def test_what_is_usual_is_what_nearly_all_answers_of_the_default_have_at_most() -> None:
    # Of 200 answers one is higher, which is at most one of a hundred.
    own = [-log(2.0)] * 197 + [-log(3.0), -log(50.0), None, -log(60.0)]
    table = answered(own, [0.0] * len(own))
    assert doses.usual(table) == pytest.approx(50.0)
    assert doses.usual(answered([None], [None])) is None
    # Of few answers all are usual, and nothing to compare with leaves the repeats.
    assert doses.usual(answered([-1.0, -2.0], [0.0, 0.0])) == pytest.approx(np.exp(2.0))
    assert doses.coherence(answered([-9.0], [0.0]), None, 0.5, 0.95)["n_incoherent"] == 0


def contrasts() -> pl.DataFrame:
    rows = [
        {"model": "m", "task": "t", "persona": persona, "variant": "main", "metric": metric}
        | {"against": "persona", "confidence": None, "n": 12, "n_baseline": 12}
        | {"n_invalid": 1, "n_invalid_baseline": 0, "value": 0.5 + effect, "baseline_value": 0.5}
        | {"difference": effect, "low": effect - 0.1, "high": effect + 0.1}
        for persona, effect in (("nurse", 0.2), ("push", 0.1), ("cap", -0.1))
        for metric in ("accuracy", "level_error")
    ]
    return pl.DataFrame(rows, schema_overrides={"confidence": pl.String})


def rows() -> list[dict[str, Any]]:
    view = {
        "default": "none",
        "metrics": ["accuracy", "refused_rate"],
        "incoherent": RULE,
        "doses": [
            {"persona": "push", "towards": "nurse", "way": "push", "dose": 2.0},
            {"persona": "cap", "towards": "roles", "way": "cap", "dose": 0.25},
        ],
    }
    good, bad = answered([-0.1] * 12, [0.0] * 12), answered([-9.0] * 12, [0.0] * 12)
    read_of = {"none": good, "nurse": good, "push": bad, "cap": good}
    where = {"model": "m", "task": "t"}
    return list(doses.dose_rows(view, read_of, contrasts(), where, 0.95))


def test_every_dose_stands_beside_the_text_and_beside_nothing() -> None:
    found = [(r["towards"], r["way"], r.get("difference"), r["n_incoherent"]) for r in rows()]
    assert found == [
        ("nurse", "none", None, 0),
        ("nurse", "text", 0.2, 0),
        ("nurse", "push", 0.1, 12),
        ("roles", "none", None, 0),
        ("roles", "cap", -0.1, 0),
    ]
    assert {r["metric"] for r in rows()} == {"accuracy"}
    assert rows()[0]["value"] == 0.5


def test_the_dose_is_drawn_beside_the_text(tmp_path: Path) -> None:
    table = pl.DataFrame(rows(), schema=doses.DOSES)
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= yaml.safe_load((ROOT / "config/studies/axis-small.yaml").read_text())
    shown = dict(views(load_study(settings, ROOT / "config", check_schema)))["judged_figures"]
    shown["models"]["m"] = "Tiny"
    shown["readings"]["tasks"]["t"] = shown["readings"]["tasks"]["triage_ed_once"]
    shown["personas"] |= {id_: {"title": id_} for id_ in ("none", "nurse", "push", "cap")}
    drawn = steering_dose.rows({"steering": table}, shown)
    assert drawn["dose"].to_list() == [0.0, 2.0, 0.25]
    assert drawn["difference"].to_list() == [0.0, 0.1, -0.1]
    assert drawn["text"].to_list() == [0.2, 0.2, None]
    assert drawn["said"].to_list() == ["0%", "100%\n(1)", "0%\n(1)"]
    vega.save(
        vega.report_figure(steering_dose, {"steering": table}, shown), tmp_path / "a.png", "png"
    )
    assert (tmp_path / "a.png").stat().st_size > 10000
