"""What the report makes of tables, before any browser sees it."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
import vl_convert

from persona_paradox.archive.withholding import Texts
from persona_paradox.errors import InputError
from persona_paradox.judges.criteria import CRITERION
from persona_paradox.kinds import answers
from persona_paradox.kinds.answers import INVALID, NONE, UNREAD, AnswerSpec, Label, Stratum
from persona_paradox.kinds.base import Traits
from persona_paradox.kinds.safety import cells as safety
from persona_paradox.kinds.triage import cells as triage
from persona_paradox.names import CONFIDENCES, HUMAN, WORDS
from persona_paradox.report import cells, chunks, prose
from persona_paradox.report.class_figures import class_figures
from persona_paradox.report.figures import figures

ROOT = Path(__file__).resolve().parents[2]
IDS = pl.DataFrame({"item_id": ["b", "a", "c"]})
TASK = {"labels": [{"label": label, "level": label.lower()} for label in "ABC"]}
LEVELS = {
    "levels": [{"id": level, "title": f"Level {level}"} for level in "cba"],
    "high_acuity": ["c"],
}


def scored() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item_id": ["a", "b"],
            "repeat": [0, 0],
            "reference": ["B", "A"],
            "label": ["A", None],
            "outcome": ["wrong", "unreadable"],
            "label_logprob_argmax": ["C", "B"],
            "parse_status": ["label", "missing"],
            "confidence": [0.33349, None],
        }
    )


def kind(
    labels: bool = False, reference: bool = False, stratum: str = "reference"
) -> SimpleNamespace:
    """What a kind's `spec.py` says."""
    traits = Traits(labels, ordered=False, reference=reference, free_text=True, stratum=stratum)
    strata = lambda dataset: {topic: f"About {topic}" for topic in dataset["topics"]}  # noqa: E731
    return SimpleNamespace(TRAITS=traits, strata=strata)


def names(spec: AnswerSpec, outcomes: list[int | None]) -> list[str | None]:
    return [None if one is None else spec.outcomes[one].id for one in outcomes]


def test_answers_are_in_the_order_of_the_items() -> None:
    spec = triage.describe(TASK, LEVELS)
    assert [(label.mark, label.shade, label.note) for label in spec.labels] == [
        ("C", 0, "high acuity"),
        ("B", 2, ""),
        ("A", 5, ""),
    ]
    found = triage.columns(scored(), IDS, spec)
    assert found["label"] == [INVALID, 2, NONE]
    assert found["top"] == [1, 0, NONE]
    assert found["confidence"] == [None, 333, None]
    assert found["status"] == ["missing", "label", None]
    assert names(spec, found["outcome"]) == ["unreadable", "under", None]
    urgent = scored().with_columns(label=pl.lit("C"))
    assert names(spec, triage.columns(urgent, IDS, spec)["outcome"]) == ["unreadable", "over", None]


def test_a_kind_that_says_nothing_is_told_by_its_traits() -> None:
    task = {"labels": [{"label": "T", "class": "tails"}, {"label": "H", "class": "heads"}]}
    sides = {"classes": [{"id": "heads", "title": "Heads"}, {"id": "tails", "title": "Tails"}]}
    spec = answers.describe(task, sides, kind(labels=True, reference=True), scored=True)
    assert spec.labels == [Label("heads", "Heads", "H"), Label("tails", "Tails", "T")]
    assert [one.id for one in spec.outcomes] == [
        *("right", "wrong", "invalid", "refused", "unreadable")
    ]
    scores = scored().with_columns(
        label=pl.Series(["T", None]), outcome=pl.Series(["right", "unreadable"])
    )
    found = answers.columns(scores, IDS, spec)
    assert found["label"] == [INVALID, 1, NONE]
    assert names(spec, found["outcome"]) == ["unreadable", "right", None]
    rows = pl.DataFrame({"reference": ["tails", "heads", None]})
    assert answers.items(rows, spec) == {"facts": {}, "reference": [1, 0, None]}
    text = answers.describe({}, {"topics": ["Drugs"]}, kind(stratum="topic"), scored=True)
    assert text.outcomes == UNREAD
    assert (text.stratum, text.strata) == ("Topic", [Stratum("Drugs", "About Drugs")])
    rows = pl.DataFrame({"topic": ["Drugs", None]})
    assert answers.items(rows, text) == {"facts": {}, "stratum": [0, None]}
    assert answers.describe({}, {}, kind(), scored=False) == AnswerSpec(labels=[], strata=[])


def test_questions_stand_in_categories_with_and_without_risk() -> None:
    categories = [
        {"id": "benign", "title": "Harmless", "benign": True},
        {"id": "drugs", "title": "Drugs", "benign": False},
    ]
    data_set = {"categories": categories, "columns": {"harm_level": None}}
    spec = safety.describe({}, data_set)
    assert len({stratum.id for stratum in spec.strata}) == 4
    rows = pl.DataFrame({"category": ["drugs", "benign"], "harm_level": [3, None]})
    found = answers.items(rows, spec)
    assert [spec.strata[i].within for i in found["stratum"]] == ["risky", "not_risky"]
    assert found["facts"] == {"harm_level": [3, None]}
    assert "also" not in found
    # Where there are levels, one of them may be harmless in any category.
    graded = safety.describe({}, data_set | {"columns": {"harm_level": "level"}})
    rows = pl.DataFrame({"category": ["drugs", "drugs", "benign"], "harm_level": [3, 0, 0]})
    found = answers.items(rows, graded)
    assert [graded.also[i].within for i in found["also"]] == ["risky", "not_risky", "not_risky"]
    assert [graded.strata[i].within for i in found["stratum"]] == [None, None, "not_risky"]


def test_confidences_are_not_rounded_and_those_that_no_answer_has_are_left_out() -> None:
    columns = {column: [None, None] for column in CONFIDENCES.values()}
    columns |= {"confidence": [0.30000000000000004, None], "confidence_repeat": [None, 0.0]}
    scores = pl.DataFrame({"item_id": ["a", "b"]} | columns)
    assert cells.confidences(scores, IDS) == {
        "top_label": [None, 0.30000000000000004, None],
        "repeat_agreement": [0.0, None, None],
    }


def test_an_answer_that_lacks_a_verdict_has_no_action() -> None:
    judgements = pl.DataFrame(
        {
            "item_id": ["a", "b", "c"] * 2,
            "repeat": [0] * 6,
            "dimension": ["action"] * 3 + ["harm"] * 3,
            "status": ["read", "read", "invalid", "read", "invalid", "read"],
            "mode": [3, 1, None, 2, None, 4],
            "value": [None, None, None, 2.125, None, 4.0],
        }
    )
    found = cells.judged_column(judgements, IDS)
    assert found == {"action": [None, 2, None], "harm": [None, 212, 400]}


def test_an_opened_case_shows_the_probabilities_of_its_scores() -> None:
    responses = pl.DataFrame(
        {
            "item_id": ["a", "b"],
            "repeat": [0, 0],
            "text": ["A", "?"],
            "finish_reason": ["stop", "length"],
            "thought": ["Hm.", None],
            "n_thought_tokens": [3, None],
            "thought_cut": [True, None],
        },
    )
    scores = pl.DataFrame(
        {
            "item_id": ["a", "a", "a", "b"],
            "repeat": [0, 1, 2, 0],
            "label": ["A", "C", None, None],
            "label_mass": [0.5, 0.9, 0.9, None],
            "label_probabilities": [[0.0471, 0.7418, 0.2111], None, None, None],
            "confidence_verbalized": [0.85, None, None, None],
        }
    )
    spec = triage.describe(TASK, LEVELS)
    found = cells.opened(responses, scores, IDS, spec)
    assert found["probability"] == [None, [47, 742, 211], None]
    assert found["mass"] == [None, 500, None]
    assert found["sampled"] == [None, [0, INVALID], None]
    assert found["verbalized"] == [None, 850, None]
    assert found["finish"] == ["length", "stop", None]
    assert found["thought"] == [None, "Hm.", None]
    assert (found["thought_tokens"][1], found["thought_cut"][1]) == (3, True)
    silent = responses.with_columns(thought=pl.lit(None, dtype=pl.String))
    assert "thought" not in cells.opened(silent, scores, IDS, spec)


def test_a_prompt_is_what_stands_around_the_case_or_itself() -> None:
    cases = pl.DataFrame({"item_id": ["a", "b", "c"], "case": ["one", "two", "three"]})
    delivered = pl.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "text": ["<s>Be kind\none?</s>", "<s>Be kind\ntwo?</s>", "<s>Be kind\nTHREE?</s>"],
        }
    )
    around, other = cells.shown_prompt(delivered, IDS, cases, "{case}?")
    assert around == {"head": "<s>Be kind\n", "tail": "</s>"}
    assert other == [None, None, "<s>Be kind\nTHREE?</s>"]
    trimmed = delivered.with_columns(pl.col("text").str.replace_all(r"\?", ""))
    around, other = cells.shown_prompt(trimmed, IDS, cases, "{case}?")
    assert around is None
    assert other == ["<s>Be kind\ntwo</s>", "<s>Be kind\none</s>", "<s>Be kind\nTHREE</s>"]


def test_a_block_is_a_part_of_every_column() -> None:
    columns = {"x": [1, 2, 3], "y": {"z": ["a", "b", "c"]}}
    assert cells.block(columns, 1, 3) == {"x": [2, 3], "y": {"z": ["b", "c"]}}
    assert cells.block(columns, 2, 9) == {"x": [3], "y": {"z": ["c"]}}


def test_what_repeats_a_case_is_marked() -> None:
    table = pl.DataFrame({"text": ["a man with chest pain since today", "nothing of it", None]})
    texts = Texts(["A man with chest pain since today."])
    marked = cells.without_texts(table, texts)["text"].to_list()
    assert marked[0].startswith("[withheld, SHA-256 ")
    assert marked[1:] == ["nothing of it", None]
    assert cells.without_texts(table, None).equals(table)


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, "</script>"]}, "\u202e \0 𝄞", []])
def test_a_chunk_is_packed_the_same_every_time(value: object) -> None:
    content = chunks.packed(value)
    assert content == chunks.packed(value)
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", content)
    assert json.loads(gzip.decompress(base64.b64decode(content))) == value


def test_undefined_numbers_are_nulls() -> None:
    table = pl.DataFrame({"x": [1.0, float("nan"), None], "n": [1, 2, None], "t": ["a", None, ""]})
    assert chunks.table_columns(table) == {
        "x": [1.0, None, None],
        "n": [1, 2, None],
        "t": ["a", None, ""],
    }


def test_markdown_shows_markup_as_text() -> None:
    found = prose.as_html("# A <b>title</b>\n\n- one\n  - two <script>x</script>\n\n`a & b`")
    assert "<h2>A &lt;b&gt;title&lt;/b&gt;</h2>" in found
    assert "<script" not in found
    assert found.count("<ul>") == 2
    assert "<code>a &amp; b</code>" in found
    for text in ("[a](javascript:b)", "![a](http://b)", "<http://a.b>", "&lt;", "[a][]\n\n[a]: b"):
        assert not re.search("<(a|img|script)", prose.as_html(text))


def test_the_methods_are_those_of_the_reference_without_its_links() -> None:
    readme = (ROOT / "config/README.md").read_text(encoding="utf-8")
    found = prose.methods(readme)
    for title in (*prose.METHODS, "Judged answers"):
        assert re.search(rf"<h[34]>{title}</h[34]>", found)
    assert "<a " not in found
    assert "<h3>Archive" not in found
    with pytest.raises(InputError, match="no section 'Robust effects'"):
        prose.methods(readme.replace("## Robust effects", "## Robustness"))


def test_specifications_of_figures_load_nothing_and_are_the_same_every_time() -> None:
    asked = ["Nurses", "Others"], [HUMAN, WORDS]
    text = json.dumps([figure.spec for figure in figures(*asked)])
    assert text == json.dumps([figure.spec for figure in figures(*asked)])
    assert '"bag of words"' in text
    assert "http" not in text
    assert "url" not in text


def test_classes_of_a_judge_are_drawn_as_shares_of_one_bar() -> None:
    classes = [{"id": "none", "title": "Nothing"}, {"id": "full", "title": "All of it"}]
    judge = {"classes": [{"id": "completion", "title": "Completion", "classes": classes}]}
    (figure,) = class_figures([{"classes": []}, judge, judge])
    assert (figure.id, figure.title, figure.by) == ("classes_completion", "Completion", ("judge",))
    assert figure.where["metric"] == ["completion_none", "completion_full"]
    colour = figure.spec["encoding"]["color"]
    assert colour["scale"]["domain"] == ["Nothing", "All of it"]
    rows = [
        {"metric": "completion_full", "value": 0.75, "line": "Nurse"},
        {"metric": "completion_none", "value": 0.25, "line": "Nurse"},
    ]
    spec = {**figure.spec, "datasets": {"rows": rows}, "width": 200, "height": 40}
    # Drawn by Vega, as a browser does: every class in its colour, under its title.
    image = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    for title, shade in zip(("Nothing", "All of it"), colour["scale"]["range"], strict=True):
        assert title in image
        assert image.count(shade) >= 2


def test_ticks_stand_by_item_in_the_order_of_its_criteria() -> None:
    row = {"variant": "main", "repeat": 0, "status": "read", "tags": []}
    rows = [
        row
        | {"item_id": "b", "number": 2, "criterion": "Two?", "points": -1.0, "met": False}
        | {"p_met": 0.1234},
        row
        | {"item_id": "b", "number": 1, "criterion": "One?", "points": 2.0, "met": True}
        | {"p_met": 0.9},
        row | {"item_id": "a", "number": 1, "criterion": "None?", "points": 1.0},
        row
        | {"item_id": "a", "number": 1, "criterion": "None?", "points": 1.0, "repeat": 1}
        | {"met": True, "p_met": 1.0},
    ]
    ids = pl.DataFrame({"item_id": ["c", "b", "a"]})
    assert cells.ticks(pl.DataFrame(rows, schema=CRITERION), ids) == [
        None,
        [
            {"criterion": "One?", "points": 2.0, "met": True, "probability": 900},
            {"criterion": "Two?", "points": -1.0, "met": False, "probability": 123},
        ],
        [{"criterion": "None?", "points": 1.0, "met": None, "probability": None}],
    ]
