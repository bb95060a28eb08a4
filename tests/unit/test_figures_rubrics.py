"""The figure of rubrics: a line for every persona, of the score and of the criteria of each tag."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
import yaml
from captions import assert_caption_tells
from root import ROOT

from persona_paradox.figures import vega
from persona_paradox.judges import criteria, trust
from persona_paradox.judges.figures import rubric_score
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.views import views

TASK, MODEL, JUDGE = "safety_rubrics", "smollm2_135m_instruct", "smollm2_rubric"


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    """What figures of judges need of the study of rubrics."""
    asked = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    asked |= yaml.safe_load((ROOT / "config/studies/rubrics.yaml").read_text())
    return dict(dict(views(load_study(asked, ROOT / "config", check_schema)))["judged_figures"])


def table(*, usable: bool, n: int = 20) -> pl.DataFrame:
    """As it is made: persona by persona, all criteria first, then those of every tag."""
    place = {"judge": JUDGE, "model": MODEL, "task": TASK, "usable": usable}
    rows = [
        place
        | {"persona": persona, "tag": tag, "metric": metric, "n": n, "n_criteria": 4 * n}
        | {"n_unjudged": int(tag == "axis:b"), "value": value, "low": value - 0.1}
        | {"high": value + 0.1}
        for persona, shift in (("no_persona", 0.0), ("ed_nurse", 0.2))
        for tag in ("all", "axis:a", "axis:b")
        for metric, value in (("met_share", 0.3 + shift), ("rubric_score", 0.5 + shift))
    ]
    return pl.DataFrame(rows, schema=criteria.RUBRICS | trust.TRUST)


def test_the_score_stands_first_and_the_criteria_of_every_tag_below(
    settings: dict[str, Any],
) -> None:
    rows = rubric_score.rows({"rubrics": table(usable=True)}, settings)
    panels = [panel.replace("\n", " ") for panel in rows["panel"].unique(maintain_order=True)]
    firsts = [panel.partition(" · ")[0] for panel in panels]
    assert firsts == ["Rubric score", "Criteria met, axis:a", "Criteria met, axis:b"]
    assert rows["persona"].to_list() == ["No persona", "ED nurse"] * 3
    assert rows["value"].to_list() == pytest.approx([0.5, 0.7, 0.3, 0.5, 0.3, 0.5])
    assert rows["said"][0] == "50 [40, 60]%; n = 20, 80 criteria"
    assert rows["said"][5] == "50 [40, 60]%; n = 20, 80 criteria, 1 unjudged"
    drawn = vega.report_figure(rubric_score, {"rubrics": table(usable=True)}, settings)
    assert drawn["title"]["text"] == [settings["title"]]


def test_a_judge_that_is_not_usable_is_marked(settings: dict[str, Any]) -> None:
    rows = rubric_score.rows({"rubrics": table(usable=False)}, settings)
    assert rows["unusable"].all()
    assert rows["panel"].str.replace_all("\n", " ").str.contains("NOT USABLE: ").all()


def test_of_too_few_answers_nothing_is_drawn(settings: dict[str, Any]) -> None:
    few = settings["too_few_below"] - 1
    rows = rubric_score.rows({"rubrics": table(usable=True, n=few)}, settings)
    assert rows["value"].null_count() == rows.height
    assert rows["said"].str.starts_with("too few; n = ").all()


def test_only_studies_of_criteria_have_it() -> None:
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    rubrics = yaml.safe_load((ROOT / "config/studies/rubrics.yaml").read_text())
    for more, there in (({}, False), (rubrics, True)):
        study = load_study(default | more, ROOT / "config", check_schema)
        assert ("rubric_score" in study.possible_figures) == there


def test_the_caption_tells() -> None:
    assert_caption_tells("rubric_score")
