"""Questions with options: how they are read, in what order they are shown, and what is refused."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from persona_paradox.data.arms import order as rule
from persona_paradox.data.changes import perturb
from persona_paradox.data.items import null_cases, read_items
from persona_paradox.data.orders import shuffled
from persona_paradox.errors import InputError
from persona_paradox.kinds.choice import prompting, spec
from persona_paradox.kinds.choice.items import columns
from persona_paradox.kinds.choice.letters import LETTERS
from persona_paradox.kinds.choice.order import shown
from persona_paradox.schema import check_schema

ABOUT = """\
title: T
description: D
origin: teaching
context: primary_care
licence: {id: MIT, redistribution: true}
source: {kind: bundled, path: resources/bundled/x.csv}
"""


def dataset(text: str) -> dict[str, Any]:
    """A checked file of `config/datasets`."""
    found: dict[str, Any] = yaml.safe_load(ABOUT + text)
    check_schema(found, "choice/dataset", "x.yaml")
    spec.check_dataset("x.yaml", found)  # type: ignore[arg-type]
    return found


def read(tmp_path: Path, content: str, text: str) -> pl.DataFrame:
    path = tmp_path / "file"
    path.write_text(content)
    items, _ = read_items([path], dataset(text), "x.yaml", columns)
    return items


CSV = """\
format: {{kind: csv}}
columns:
  item_id: {{prefix: q_}}
  case: {{column: question}}
  options: {{columns: [A, B, C, D]}}
  reference: {{column: key, form: {form}}}
"""


@pytest.mark.parametrize(
    ("form", "key", "right"),
    [
        ("letter", "B", "B"),
        ("letter", "b", "B"),
        ("letter", '"A, C"', "AC"),
        ("letter", "CA", "AC"),
        ("letter", "A and D", "AD"),
        ("number_from_0", "0", "A"),
        ("number_from_1", "4", "D"),
        # As programs write whole numbers of a column that has gaps.
        ("number_from_0", "1.0", "B"),
        ("number_from_1", "4.00", "D"),
        ("number_from_1", "1.0; 3.0", "AC"),
        ("number_from_1", "2.", "B"),
        ("letter", "A.C.", "AC"),
        ("number_from_1", "1;3", "AC"),
        ("text", "tea", "C"),
        ("text", '"[""tea"", ""rest""]"', "AC"),
        ("text", "Tea", "C"),
    ],
)
def test_a_key_is_read_in_every_form(tmp_path: Path, form: str, key: str, right: str) -> None:
    content = f"question,A,B,C,D,key\nWhat helps?,rest,cake,tea,noise,{key}\n"
    items = read(tmp_path, content, CSV.format(form=form))
    assert items.columns == [
        *("item_id", "case", "options", "reference", "order", "stratum", "excluded")
    ]
    assert items["options"].to_list() == [["rest", "cake", "tea", "noise"]]
    assert items["reference"].to_list() == [right]
    assert items["excluded"].to_list() == [None]


def test_a_decimal_comma_is_no_second_number(tmp_path: Path) -> None:
    content = 'question,A,B,key\nIs it?,rest,cake,"1,0"\nIs it?,rest,cake,"0,1"\n'
    yaml_file = CSV.replace("[A, B, C, D]", "[A, B]").format(form="number_from_0")
    items = read(tmp_path, content, yaml_file)
    assert items["reference"].to_list() == [None, "AB"]
    assert items["excluded"][0] == "the key may be one number with a decimal comma, or two"


def test_capitals_of_a_key_count_where_they_tell_options_apart(tmp_path: Path) -> None:
    content = "question,A,B,key\nIs it?,tea,Tea,Tea\nIs it?,tea,Tea,TEA\n"
    yaml_file = CSV.replace("[A, B, C, D]", "[A, B]").format(form="text")
    assert read(tmp_path, content, yaml_file)["reference"].to_list() == ["B", None]


def test_a_word_is_no_set_of_letters(tmp_path: Path) -> None:
    content = "question,A,B,C,D,key\nIs it?,rest,cake,tea,noise,bad\nIs it?,rest,cake,tea,noise,A\n"
    items = read(tmp_path, content, CSV.format(form="letter"))
    assert items["reference"].to_list() == [None, "A"]
    assert items["excluded"].to_list() == ["the key is none of the options", None]


def test_options_of_json_that_are_missing_are_left_out(tmp_path: Path) -> None:
    rows = (
        '{"q": "One?", "options": {"A": "a", "B": "b", "C": "c"}, "key": "C"}',
        '{"q": "Two?", "options": {"A": "a", "C": "c"}, "key": "C"}',
        '{"q": "Three?", "options": {"A": "a", "B": "b"}, "key": ["A", "B"]}',
    )
    items = read(
        tmp_path,
        "\n".join(rows),
        """
format: {kind: jsonl}
columns:
  item_id: {prefix: q_}
  case: {column: q}
  options: {columns: [options.A, options.B, options.C]}
  reference: {column: key}
""",
    )
    assert items["options"].to_list() == [["a", "b", "c"], ["a", "c"], ["a", "b"]]
    # The second of the options that are there.
    assert items["reference"].to_list() == ["C", "B", "AB"]


def test_right_and_wrong_options_in_columns_of_their_own(tmp_path: Path) -> None:
    text = """
format: {kind: csv}
columns:
  item_id: {prefix: q_}
  case: {column: q}
  options: {right: best, wrong: [worse, worst], separator: ";"}
  keep: [topic]
  stratum: topic
"""
    content = "q,best,worse,worst,topic\nOne?,a;z,b; c ;,d,sleep\nTwo?,a,b,,\n"
    items = read(tmp_path, content, text)
    assert items["options"].to_list() == [["a;z", "b", "c", "d"], ["a", "b"]]
    assert items["reference"].to_list() == ["A", "A"]
    assert items["stratum"].to_list() == ["sleep", "not recorded"]
    with pytest.raises(InputError, match=r"the right option of every item .* 'shuffled'"):
        spec.check("t.yaml", task(), dataset(text))  # type: ignore[arg-type]
    spec.check("t.yaml", task(order="shuffled"), dataset(text))  # type: ignore[arg-type]


def test_options_that_every_item_has(tmp_path: Path) -> None:
    items = read(
        tmp_path,
        "q,key\nOne?,maybe\nTwo?,yes\n",
        """
format: {kind: csv}
columns:
  item_id: {prefix: q_}
  case: {column: q}
  options: {fixed: ["yes", "no", maybe]}
  reference: {column: key, form: text}
""",
    )
    assert items["options"].to_list() == [["yes", "no", "maybe"]] * 2
    assert items["reference"].to_list() == ["C", "A"]


def test_an_item_that_cannot_be_asked_says_why(tmp_path: Path) -> None:
    rows = [
        ("fine", "a,b,c,d", "A", None),
        ("twice", "a,b,a,", "A", "two options are the same"),
        ("one", "a,,,", "A", "the number of options is 1, not 2 to 10"),
        ("outside", "a,b,,", "F", "the key is none of the options"),
        ("empty", "a,b,,", "C", "the key is an option that is empty"),
        ("nothing", "a,b,,", "", "no key is recorded"),
        ("words", "a,b,,", "the first", "the key is none of the options"),
    ]
    content = "question,A,B,C,D,key\n" + "".join(f"{q},{o},{k}\n" for q, o, k, _ in rows)
    items = read(tmp_path, content, CSV.format(form="letter"))
    assert items["excluded"].to_list() == [why for *_, why in rows]
    assert items["reference"].to_list() == ["A", *[None] * 6]
    numbers = content.replace("fine,a,b,c,d,A", "fine,a,b,c,d,1").replace(",F\n", ",1.1\n")
    found = read(tmp_path, numbers, CSV.format(form="number_from_0"))
    assert found["reference"].to_list() == ["B", *[None] * 6]
    assert found["excluded"][3] == "the key is none of the options"
    with pytest.raises(InputError, match=r"item q_1 has the option 'nan', .*`format\.missing`"):
        read(tmp_path, content.replace("fine,a,b,c", "fine,a,b,nan"), CSV.format(form="letter"))
    with pytest.raises(InputError) as told:
        read(tmp_path, content.replace("fine,a,b,c,d,A\n", ""), CSV.format(form="letter"))
    assert "no item can be shown to a model, 2 of 6 since the key is none of" in str(told.value)
    with pytest.raises(InputError, match="1 of 1 since the number of options is 11"):
        read(
            tmp_path,
            f"q,r,w\nMany?,a,{';'.join('bcdefghijk')}\n",
            """
format: {kind: csv}
columns:
  item_id: {prefix: q_}
  case: {column: q}
  options: {right: r, wrong: [w], separator: ";"}
""",
        )


TASK: dict[str, Any] = {
    "title": "T",
    "kind": "choice",
    "dataset": "x",
    "user": "{case}\n{options}",
    "decoding": {"max_tokens": 1},
}


def task(**change: object) -> dict[str, Any]:
    found = copy.deepcopy(TASK) | change
    check_schema(found, "choice/task", "t.yaml")
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user": "{case}"}, r"\{case\} and \{options\}"),
        ({"user": "{case} {{options}}"}, r"\{case\} and \{options\}"),
        ({"labels": ["A", "A"]}, "'A' twice"),
        ({"labels": ["A", "1"]}, "mixes letters and digits"),
        ({"labels": ["A", "B"]}, "may have 4 options"),
        ({"labels": ["1", "2", "3", "4"], "select": "all"}, "must be letters"),
    ],
)
def test_a_task_that_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        spec.check("t.yaml", task(**change), dataset(CSV.format(form="letter")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{columns: [A, B, C, D]}", "{right: A, wrong: [B]}", "take one of them out"),
        ("  reference: {column: key, form: letter}\n", "", "no option is right"),
        ("case: {column: question}", "case: {column: key}", "gives the answer away"),
        ("form: letter}\n", "form: letter}\n  stratum: topic\n", "`columns.stratum` names"),
        ("form: letter}\n", "form: letter}\n  never_shown: [C]\n", "shows 'C', .* out of either"),
        (
            "{column: key, form: letter}",
            "{column: B, form: text}",
            r"'B', .*`columns\.options\.right`",
        ),
        ("{columns: [A, B, C, D]}", '{columns: [A, B], separator: ";"}', "must have either key"),
    ],
)
def test_a_data_set_that_does_not_fit_is_refused(old: str, new: str, said: str) -> None:
    text = CSV.format(form="letter")
    assert old in text
    with pytest.raises(InputError, match=said):
        dataset(text.replace(old, new))


# --- orders -------------------------------------------------------------------------------


def items_of(*options: int) -> pl.DataFrame:
    """Items with so many options each, whose texts are the letters of the file."""
    return pl.DataFrame(
        {
            "item_id": [f"q_{number}" for number in range(len(options))],
            "case": [f"Question {number}?" for number in range(len(options))],
            "options": [list(LETTERS[:k]) for k in options],
            "reference": ["A"] * len(options),
            "order": None,
            "stratum": ["all"] * len(options),
            "excluded": None,
        },
        schema_overrides={"order": pl.List(pl.Int64), "excluded": pl.String},
    )


def test_options_are_shown_with_the_labels_of_the_task() -> None:
    items = items_of(2, 3)
    view = {"labels": list("ABCDE"), "most_options": 3}
    assert prompting.fields(items, view)["options"].to_list() == ["A. A\nB. B", "A. A\nB. B\nC. C"]
    drawn = prompting.fields(items, view | {"order_seed": 5, "labels": ["1", "2", "3"]})["options"]
    for row, text in zip(items.iter_rows(named=True), drawn, strict=True):
        order = shuffled(row["item_id"], len(row["options"]), 5)
        assert text == "\n".join(f"{n + 1}. {LETTERS[place]}" for n, place in enumerate(order))
    texts = null_cases(["N/A", ""])
    nulls = prompting.null_fields(texts, view, items)["options"].to_list()
    assert nulls == ["A. N/A\nB. N/A\nC. N/A", "A.\nB.\nC."]
    # An option that an arm adds has a prior, too: that of a label which is shown.
    more = prompting.null_fields(texts, view, items_of(2, 4))["options"].to_list()
    assert more == ["A. N/A\nB. N/A\nC. N/A\nD. N/A", "A.\nB.\nC.\nD."]
    with pytest.raises(InputError, match="item q_1 has 3 options, but key `labels`"):
        prompting.fields(items, {"labels": ["A", "B"]})


def test_options_that_bring_letters_are_not_moved() -> None:
    texts = [["A) rest", "(B) tea"], ["C. difficile", "B. cereus"]]
    items = items_of(2, 2).with_columns(options=pl.Series(texts), order=pl.Series([[1, 0]] * 2))
    view = {"labels": list("AB")}
    with pytest.raises(InputError, match=r"item q_0 has options that begin .* such as 'A\) rest'"):
        prompting.fields(items, view)
    # In the order of the file the letters are right; names of species are none.
    same = items.head(1).with_columns(order=pl.Series([[0, 1]]))
    assert prompting.fields(same, view)["options"].to_list() == ["A. A) rest\nB. (B) tea"]
    moved = prompting.fields(items.tail(1), view)["options"].to_list()
    assert moved == ["A. B. cereus\nB. C. difficile"]


def test_an_order_is_drawn_for_each_item_and_is_fair() -> None:
    drawn = [tuple(shuffled(f"q_{number}", 3, 1)) for number in range(6000)]
    counts = Counter(drawn)
    assert len(counts) == 6
    # 1,000 of each are expected, standard deviation 29.
    assert all(880 < count < 1120 for count in counts.values())
    assert drawn != [tuple(shuffled(f"q_{number}", 3, 2)) for number in range(6000)]


def test_one_more_option_leaves_the_order_of_the_others() -> None:
    for number in range(50):
        four = shuffled(f"q_{number}", 4, 1)
        assert [one for one in shuffled(f"q_{number}", 5, 1) if one < 4] == four


def test_the_rule_moves_options_from_where_the_task_shows_them() -> None:
    items = items_of(4, 2)
    made = perturb(items, rule.change, {"rule": "order", "rotate": 1}, "arm", stratum="stratum")
    assert made["order"].to_list() == [[1, 2, 3, 0], [1, 0]]
    assert made["change"].to_list() == [
        "options in the order 2, 3, 4, 1",
        "options in the order 2, 1",
    ]
    assert made.select("case", "options", "reference").equals(
        items.select("case", "options", "reference")
    )
    first = made.row(0, named=True)
    assert shown(first, None) == [1, 2, 3, 0]
    of_task = shuffled("q_0", 4, 9)
    assert shown(first, 9) == [of_task[1], of_task[2], of_task[3], of_task[0]]
    # All rotations of four options are three arms, and no more.
    twice = perturb(items, rule.change, {"rule": "order", "rotate": 2}, "arm", stratum="stratum")
    assert twice["changed"].to_list() == [True, False]
    assert twice["unchanged"].to_list() == [None, "the order is the same"]
    seeded = {"rule": "order", "shuffle": True, "seed": 3}
    drawn = perturb(items_of(*[4] * 30), rule.change, seeded, "arm", stratum="stratum")
    for row in drawn.filter("changed").iter_rows(named=True):
        assert row["order"] == shuffled(row["item_id"], 4, 3)
    with pytest.raises(InputError, match="changes no case"):
        perturb(items_of(2), rule.change, {"rule": "order", "rotate": 2}, "arm", stratum="stratum")
    with pytest.raises(InputError, match="no options of their own"):
        rule.change(pl.DataFrame({"item_id": ["a"]}), {"rotate": 1})


def test_an_option_that_an_arm_adds_stands_behind_the_others() -> None:
    row = {"item_id": "q_0", "options": list("ABC"), "order": [1, 0]}
    assert shown(row, None) == [1, 0, 2]


def test_one_key_for_every_item_and_what_is_no_letter_of_an_option(tmp_path: Path) -> None:
    """Questions who the patient is: the text does not say, until an arm of the task does."""
    text = """\
format: {kind: csv}
columns:
  item_id: {prefix: q_}
  case: {column: question}
  options: {fixed: [a woman, a man, the text does not say]}
  reference: {fixed: LETTER}
"""
    content = "question\nA patient coughs.\nA patient fell.\n"
    # A fixed key is in letters, whatever form a column would have.
    fixed = text.replace("LETTER", "C, form: number_from_1")
    assert read(tmp_path, content, fixed)["reference"].to_list() == ["C"] * 2
    assert read(tmp_path, content, text.replace("LETTER", "C"))["reference"].to_list() == ["C"] * 2
    with pytest.raises(InputError, match="the key is none of the options"):
        read(tmp_path, content, text.replace("LETTER", "D"))
    with pytest.raises(InputError, match="letters of options"):
        read(tmp_path, content, text.replace("LETTER", "Z"))
    with pytest.raises(InputError, match="either key `column` or key `fixed`"):
        read(tmp_path, content, text.replace("{fixed: LETTER}", "{fixed: A, column: question}"))
