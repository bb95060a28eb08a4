"""What clinicians and judges say, in words."""

from __future__ import annotations

import polars as pl
import pytest

from persona_paradox import panel, ranking
from persona_paradox.summary_judged import clinicians

SETTINGS = {
    "judges": {name: {"title": f"Judge {name}", "ratings": []} for name in ("ash", "oak")},
    "judged_tasks": {"t": {"title": "Task", "questions": [{"id": "q", "title": "Quality"}]}},
}


@pytest.mark.parametrize("usable", [True, False])
def test_agreement_with_a_judge_that_is_not_usable_is_said_to_be(usable: bool) -> None:
    kappa = {"task": "t", "question": "q", "kind": "judge–human", "statistic": "kappa", "n": 12}
    agreement = [
        {**kappa, "value": 0.4},
        {**kappa, "value": 0.4, "rater_a": "R1", "rater_b": "ash"},
    ]
    judges = [
        {"judge": name, "metric": "usable", "met": usable, "note": "n"} for name in ["ash", "oak"]
    ]
    tables = {
        "clinicians": pl.DataFrame(schema=panel.CLINICIAN),
        "agreement": pl.DataFrame(agreement, schema=panel.AGREEMENT),
        "judges": pl.DataFrame(judges, schema=ranking.QUALITY),
    }
    words = list(clinicians(tables, SETTINGS))
    assert "- Agreement on quality (Task), average Cohen's κ: judge–human 0.40, n = 12." in words
    # The other judge is no rater here.
    told = "- Among these judges, **NOT USABLE by its own rule**: Judge ash."
    assert (told in words) == (not usable)
    assert not [line for line in words if "oak" in line]
