"""Arms of a task: what each rule changes, what it leaves and why, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import polars as pl
import pytest

from persona_paradox.data.changes import drawn_as, perturb
from persona_paradox.data.items import sample
from persona_paradox.errors import InputError

FIELDS = {
    "fields": [
        {"label": "Age", "column": "age", "unit": "years", "required": False},
        {"label": "Complaint", "column": "complaint", "required": False},
        {"label": "Arrival", "column": "arrival", "values": {"1": "on foot", "2": "ambulance"}},
    ],
    "missing": "not recorded",
}
CASES = [
    "Age: 34 years\nComplaint: cough\nand fever\nArrival: on foot",
    "Age: not recorded\nComplaint: fall. He slipped! Now it hurts.\nArrival: ambulance",
    'Complaint: she says "I fell." It hurts\nArrival: on foot',
]


def items(cases: list[str | None] = CASES, **columns: list[Any]) -> pl.DataFrame:
    n = len(cases)
    return pl.DataFrame(
        {
            "item_id": [f"item_{i}" for i in range(n)],
            "case": cases,
            "reference": ["high", "low", "low", "high"][:n],
            "excluded": [None] * n,
            "human_nurse": ["high"] * n,
            **columns,
        },
        schema_overrides={"excluded": pl.String},
    )


def changed(rule: str, table: pl.DataFrame, case: Mapping[str, Any] = FIELDS, **keys: Any) -> Any:
    arm = {"rule": rule, "case": case, **keys}
    return perturb(table, import_module(f"persona_paradox.data.arms.{rule}").change, arm, "arm")


APPENDED = {"text": "Hurry.", "at": "end", "separator": " "}


@pytest.mark.parametrize(
    ("at", "cases"),
    [
        ("end", [f"{case} Hurry." for case in CASES]),
        ("beginning", [f"Hurry. {case}" for case in CASES]),
        (
            "after_first_sentence",
            [
                CASES[0],
                CASES[1].replace("fall.", "fall. Hurry."),
                CASES[2].replace('l."', 'l." Hurry.'),
            ],
        ),
        (
            "before_last_sentence",
            [
                CASES[0],
                CASES[1].replace("hurts.", "hurts. Hurry."),
                CASES[2].replace('l."', 'l." Hurry.'),
            ],
        ),
    ],
)
def test_a_text_is_put_where_the_arm_says(at: str, cases: list[str]) -> None:
    table = changed("append", items(), **APPENDED | {"at": at})
    assert table["case"].to_list() == cases
    assert table["changed"].to_list() == [one != two for one, two in zip(cases, CASES, strict=True)]
    for row in table.iter_rows(named=True):
        assert (row["change"], row["unchanged"]) == (
            ("Hurry.", None) if row["changed"] else (None, "the case has one sentence")
        )


def test_places_of_a_text_are_filled_from_columns_of_the_item() -> None:
    table = items(opinion=["nothing", None, "a fracture"])
    found = changed("append", table, **APPENDED | {"text": "I think it is {opinion}."})
    assert found["case"].to_list() == [
        f"{CASES[0]} I think it is nothing.",
        CASES[1],
        f"{CASES[2]} I think it is a fracture.",
    ]
    assert found["unchanged"].to_list() == [None, "a column of key `text` is empty", None]


@pytest.mark.parametrize("place", ["reference", "case", "human_nurse", "nowhere"])
def test_a_place_that_may_not_be_shown_or_is_not_there_is_refused(place: str) -> None:
    with pytest.raises(InputError) as told:
        changed("append", items(opinion=["x"] * 3), **APPENDED | {"text": f"It is {{{place}}}."})
    for word in ("arm: key `text`", f"{{{place}}}", "one of opinion", "columns.keep"):
        assert word in str(told.value)


def test_words_are_replaced_at_once_and_said() -> None:
    pairs = [
        {"pattern": r"\b[Ss]he\b", "with": "he"},
        {"pattern": r"\bHe\b", "with": "She"},
        {"find": "ambulance", "with": "helicopter"},
    ]
    table = changed("replace", items(), pairs=pairs)
    assert table["case"].to_list() == [
        CASES[0],
        CASES[1].replace("He slipped", "She slipped").replace("ambulance", "helicopter"),
        CASES[2].replace("she says", "he says"),
    ]
    assert table["change"].to_list() == [None, "He → She; ambulance → helicopter", "she → he"]
    assert table["unchanged"][0] == "the case has nothing that key `pairs` finds"


def test_two_words_may_change_places() -> None:
    pairs = [{"find": "left", "with": "right"}, {"find": "right", "with": "left"}]
    table = changed("replace", items(["left, right, left"]), pairs=pairs)
    assert table["case"].to_list() == ["right, left, right"]
    assert table["change"].to_list() == ["left → right; right → left"]


def test_what_a_column_says_is_replaced_by_what_another_says() -> None:
    table = items(["It is A, not B.", "It is C.", "It is D."])
    table = table.with_columns(right=pl.Series(["A", "C", None]), wrong=pl.Series(["B", None, "A"]))
    found = changed("replace", table, pairs=[{"find": "{right}", "with": "{wrong}"}])
    assert found["case"].to_list() == ["It is B, not B.", "It is C.", "It is D."]
    assert found["changed"].to_list() == [True, False, False]


@pytest.mark.parametrize("pattern", ["[0-9]*", "(?=[0-9])|[0-9]+"])
def test_a_match_of_no_characters_hides_no_later_one(pattern: str) -> None:
    table = changed(
        "replace", items(["It is 12, not 3."]), pairs=[{"pattern": pattern, "with": "n"}]
    )
    assert table["case"].to_list() == ["It is n, not n."]


@pytest.mark.parametrize("group", [r"\1", r"\g<number>"])
def test_a_group_of_a_pattern_is_refused(group: str) -> None:
    pairs = [{"pattern": "(?P<number>[0-9]+) days", "with": f"{group} hours"}]
    with pytest.raises(InputError, match=r"key `pairs\.0\.with` holds .* groups of a pattern"):
        changed("replace", items(["For 3 days."]), pairs=pairs)


def test_a_case_that_would_be_empty_stays() -> None:
    pairs = [{"pattern": "It hurts.", "with": ""}]
    table = changed("replace", items(["It hurts.", "It hurts. A lot."]), pairs=pairs)
    assert table["case"].to_list() == ["It hurts.", " A lot."]
    assert table["unchanged"].to_list() == ["nothing of the case would be left", None]


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"key `pairs\.1\.pattern`"):
        changed(
            "replace", items(), pairs=[{"find": "a", "with": "b"}, {"pattern": "(", "with": "b"}]
        )


def test_a_pattern_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("persona_paradox.data.arms.replace"), "SECONDS", 0.1)
    pairs = [{"pattern": "(a+)+$", "with": "b"}]
    with pytest.raises(InputError, match=r"more than 0\.1 s for item item_0; write"):
        changed("replace", items(["a" * 40 + "!"]), pairs=pairs)


def test_a_field_is_set_to_a_value_as_the_data_set_shows_it() -> None:
    table = changed("field", items(), field="Age", value="82")
    assert table["case"].to_list() == [
        CASES[0].replace("34 years", "82 years"),
        CASES[1].replace("not recorded", "82 years"),
        CASES[2],
    ]
    assert table["change"][0] == "Age: 34 years → 82 years"
    assert table["unchanged"][2] == "the case has 0 fields 'Age'"
    table = changed("field", items(), field="Arrival", value="2")
    assert table["case"][0] == CASES[0].replace("on foot", "ambulance")
    assert table["unchanged"][1] == "'Arrival' is ambulance already"


def test_a_field_of_several_lines_is_set_whole() -> None:
    table = changed("field", items(), field="Complaint", value="rash")
    assert table["case"][0] == "Age: 34 years\nComplaint: rash\nArrival: on foot"


@pytest.mark.parametrize(
    ("missing", "shown"),
    [
        (None, ["Complaint: cough\nand fever\nArrival: on foot", CASES[1].split("\n", 1)[1]]),
        (
            "unknown",
            [
                case.replace(CASES[i][5:].split("\n")[0], "unknown", 1)
                for i, case in enumerate(CASES[:2])
            ],
        ),
    ],
)
def test_a_field_may_be_left_out(missing: str | None, shown: list[str]) -> None:
    table = changed("field", items(), FIELDS | {"missing": missing}, field="Age", value=None)
    expected = [text.replace("Age:unknown", "Age: unknown") for text in shown]
    assert [text.replace("Age:unknown", "Age: unknown") for text in table["case"][:2]] == expected


@pytest.mark.parametrize(
    ("case", "keys", "words"),
    [
        ({"column": "text"}, {"field": "Age", "value": "1"}, ("`fields`", "'replace'")),
        (FIELDS, {"field": "Agee", "value": "1"}, ("'Agee'", "Age, Complaint, Arrival")),
        (FIELDS, {"field": "Arrival", "value": "3"}, ("'3'", "`values`", "1, 2")),
    ],
)
def test_a_field_that_cannot_be_set_is_refused(
    case: dict[str, Any], keys: dict[str, str], words: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as told:
        changed("field", items(), case, **keys)
    for word in ("arm: key", *words):
        assert word in str(told.value)


def test_an_arm_that_changes_nothing_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError) as told:
        changed("replace", items(), pairs=[{"find": "xyz", "with": "abc"}])
    for word in ("changes no case", "nothing that key `pairs` finds", "mend"):
        assert word in str(told.value)


def test_items_stay_the_same_rows_without_human_raters() -> None:
    table = items([*CASES[:2], None, CASES[2]]).with_columns(
        excluded=pl.Series([None, None, "age not recorded", None])
    )
    found = changed("append", table, **APPENDED)
    same = ["item_id", "reference", "excluded"]
    assert found.select(same).equals(table.select(same))
    assert "human_nurse" not in found.columns
    assert found["unchanged"][2] == "there is no case"
    assert "base_reference" not in found.columns


def test_a_rule_may_move_the_reference_and_the_sample_stays_that_of_the_base() -> None:
    n = 40
    base = pl.DataFrame(
        {
            "item_id": [f"item_{i}" for i in range(n)],
            "case": [f"case {i}" for i in range(n)],
            "reference": ["high" if i % 4 else "low" for i in range(n)],
            "excluded": pl.Series([None] * n, dtype=pl.String),
        }
    )

    def rule(table: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
        del arm
        return table.with_columns(
            case=pl.col("case") + "!",
            reference=pl.lit("low"),
            change=pl.lit("all low"),
            unchanged=pl.lit(None, dtype=pl.String),
        )

    arm = perturb(base, rule, {"rule": "toy"}, "arm")
    assert arm["base_reference"].equals(base["reference"].alias("base_reference"))
    ids = sample(base, 10, 7)["item_id"]
    assert sample(arm, 10, 7)["item_id"].to_list() != ids.to_list()
    assert sample(drawn_as(arm), 10, 7)["item_id"].to_list() == ids.to_list()


@pytest.mark.parametrize("column", ["changed", "change", "unchanged", "base_reference", "named"])
def test_a_kept_column_does_not_take_the_place_of_what_an_arm_says(column: str) -> None:
    with pytest.raises(InputError, match=rf"arm: key `columns\.keep` .* '{column}'"):
        changed("append", items(**{column: ["x"] * 3}), **APPENDED)


def choices() -> pl.DataFrame:
    """Two items with options, and one that no model sees."""
    return items(["one?", "two?", None]).with_columns(
        options=pl.Series([["x", "y"], ["x", "y", "z"], []]),
        reference=pl.Series(["B", "AC", None]),
        order=pl.Series([[1, 0], None, None]),
        excluded=pl.Series([None, None, "no options"]),
    )


def toy(**columns: Any) -> Any:
    """A rule that gives some columns."""

    def rule(table: pl.DataFrame, arm: Mapping[str, Any]) -> pl.DataFrame:
        del arm
        said = {"change": pl.Series(["a", "b", None]), "unchanged": pl.Series([None, None, "c"])}
        return table.with_columns(**said | columns)

    return rule


OPTIONS = pl.Series([["x", "y", "w"], ["x", "y", "z"], []])


def test_a_rule_may_change_options_their_key_and_their_order_and_add_two_columns() -> None:
    named = pl.Series([2, 0, None], dtype=pl.Int64)
    rule = toy(options=OPTIONS, named=named)
    found = perturb(choices(), rule, {"rule": "toy"}, "arm", stratum="item_id")
    assert found["changed"].to_list() == [True, False, False]
    assert found["change"].to_list() == ["a", None, None]
    assert found["unchanged"].to_list() == [None, "the rule leaves the case as it is", "c"]
    # What was not changed has nothing that is named.
    assert found["named"].to_list() == [2, None, None]
    assert found["options"].to_list() == OPTIONS.to_list()
    for change in ({"reference": pl.Series(["A", "AC", None])}, {"order": OPTIONS_TURNED}):
        found = perturb(choices(), toy(**change), {"rule": "toy"}, "arm", stratum="item_id")
        assert found["changed"].to_list() == [True, False, False]


OPTIONS_TURNED = pl.Series([[0, 1], None, None])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"more": pl.lit(1)}, "adds the column 'more'"),
        ({"excluded": pl.lit("x")}, "changes the column 'excluded'"),
        ({"severity": pl.lit("1")}, "'severity' as String"),
        ({"options": pl.Series([["x"], ["x", "y", "z"], []])}, "1 options of 2"),
        ({"options": pl.Series([["x", "x"], ["x", "y", "z"], []])}, "two are the same"),
        ({"reference": pl.Series(["C", "AC", None])}, "'C' is no option"),
        ({"order": pl.Series([[1, 1], None, None])}, r"\[1, 1\] has an option twice"),
        ({"order": pl.Series([[1, 2], None, None])}, r"\[1, 2\] has .* one too many"),
        ({"named": pl.Series([2, 0, None], dtype=pl.Int64)}, "named is no option"),
    ],
)
def test_a_rule_that_changes_what_it_may_not_is_found_out(
    columns: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        perturb(choices(), toy(**columns), {"rule": "toy"}, "arm")


def test_the_key_of_an_arm_is_that_of_the_items_it_changes() -> None:
    arm = {"rule": "append", "case": FIELDS, "key": "A", **APPENDED}
    change = import_module("persona_paradox.data.arms.append").change
    found = perturb(choices(), change, arm, "arm", stratum="item_id")
    assert found["reference"].to_list() == ["A", "A", None]
    assert found["changed"].to_list() == [True, True, False]
    # Of items without options it says nothing.
    found = changed("append", items(), **APPENDED, key="A")
    assert found["reference"].to_list() == ["high", "low", "low"]


def test_a_rule_that_loses_an_item_is_found_out() -> None:
    with pytest.raises(ValueError, match="other items"):
        perturb(items(), lambda table, arm: table.head(2), {"rule": "toy"}, "arm")
