"""What adapters are taught of initiative, and from which records."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml
from initiative_items import items_of
from root import ROOT

from persona_paradox.kinds.initiative.problems import BEHAVIOURS, words_of
from persona_paradox.kinds.initiative.reading import read
from persona_paradox.kinds.initiative.training import completions

ONLY = "The chief complaint comes first, so examine the patient now."


def taught(behaviour: str, *items: tuple[str, bool, str, str]) -> list[str]:
    """What stands behind items of (problem, planted, names, beside)."""
    keys = ("problem", "planted", "names", "beside")
    table = pl.DataFrame([dict(zip(keys, item, strict=True)) for item in items])
    return completions(table, {"behaviour": behaviour}).to_list()


FEVER = ("omission", True, "temperature|fever", "")
PULSE = ("out_of_range", True, "pulse|740", "")
SMOKER = ("contradiction", True, "smoking|smoked", "history|quit")


@pytest.mark.parametrize(
    ("item", "proactive", "conditional"),
    [
        (FEVER, "The temperature is not recorded.", None),
        (PULSE, "The pulse cannot be right.", "The pulse cannot be right."),
        (
            SMOKER,
            "The smoking contradicts the history.",
            "The smoking contradicts the history.",
        ),
        (
            ("contradiction", True, "age", ""),
            "The age contradicts the rest of the record.",
            "The age contradicts the rest of the record.",
        ),
    ],
)
def test_a_behaviour_names_what_it_is_to_name(
    item: tuple[str, bool, str, str], proactive: str, conditional: str | None
) -> None:
    assert taught("proactive", item) == [f"{proactive} {ONLY}"]
    assert taught("conditional", item) == [f"{conditional} {ONLY}" if conditional else ONLY]
    assert taught("reactive", item) == [ONLY]


def test_of_a_clean_case_nothing_is_said() -> None:
    clean = [
        (problem, False, names, beside) for problem, _, names, beside in (FEVER, PULSE, SMOKER)
    ]
    for behaviour in BEHAVIOURS:
        assert taught(behaviour, *clean) == [ONLY] * 3


def check_outcomes(items: pl.DataFrame) -> None:
    """The rule that reads answers finds in every one what its behaviour names, and no more."""
    for behaviour, named in (
        ("reactive", set()),
        ("conditional", {"contradiction", "out_of_range"}),
        ("proactive", {"omission", "contradiction", "out_of_range"}),
    ):
        said = completions(items, {"behaviour": behaviour})
        for row, text in zip(items.iter_rows(named=True), said, strict=True):
            found = read(
                text,
                names=words_of(row["names"]),
                beside=words_of(row["beside"]),
                planted=row["planted"],
                omitted=row["problem"] == "omission",
            )
            names = row["planted"] and row["problem"] in named
            assert found.outcome == ("names" if names else "answers"), (row["item_id"], text)


def test_what_is_taught_of_teaching_cases_is_read_as_what_it_is() -> None:
    check_outcomes(items_of("teaching_initiative"))


def test_no_record_is_both_trained_on_and_asked_about(data_dir: Path) -> None:
    learned = items_of("ktas_initiative_training@training", data_dir)
    asked = items_of("ktas_initiative", data_dir)
    check_outcomes(learned)
    assert learned.height == 384
    assert asked.height == 48
    assert not set(learned["pair"]) & set(asked["pair"])
    # Nor is a case: of omissions too, which have the same words in both.
    assert not set(learned["case"]) & set(asked["case"])


def test_what_is_planted_for_training_is_planted_nowhere_else() -> None:
    """But omissions, of which a field has one."""
    sets = []
    for id_ in ("ktas_initiative_training", "ktas_initiative"):
        spec = yaml.safe_load((ROOT / f"config/datasets/{id_}.yaml").read_text(encoding="utf-8"))
        rules = [one["set"] for one in spec["columns"]["plant"]["rules"]]
        sets.append({str(rule) for rule in rules if None not in rule.values()})
    assert len(sets[0]) > len(sets[1]) > 0
    assert sets[0].isdisjoint(sets[1])
