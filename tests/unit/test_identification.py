"""Who is named: the questions, what is read, and the numbers, against other libraries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from captions import assert_caption_tells
from hypothesis import given
from hypothesis import strategies as st
from root import ROOT
from sklearn.metrics import balanced_accuracy_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from persona_paradox.engine.responses import SCHEMA as RESPONSES
from persona_paradox.errors import InputError
from persona_paradox.figures import vega
from persona_paradox.identification import measures, words
from persona_paradox.identification.asking import chats_after, chats_before
from persona_paradox.identification.blinding import unblinded
from persona_paradox.identification.figures import identification as shares
from persona_paradox.identification.figures import identification_confusion as confusions
from persona_paradox.identification.options import LETTERS, in_study_order, order_of, question
from persona_paradox.identification.reading import identified
from persona_paradox.judges import trust
from persona_paradox.judges.chats import rating_chats
from persona_paradox.judges.verdicts import JUDGEMENT, judgements
from persona_paradox.prompting.prompts import build_prompts
from persona_paradox.schema import check_schema
from persona_paradox.study.identities import identifying
from persona_paradox.study.load import load_study

TITLES = {"nurse": "ED nurse", "physician": "ED physician", "none": "None of these"}
VIEW: dict[str, Any] = {
    "question": "Who are you?\n{options}\nOne letter.",
    "answer_prefix": "Answer:",
    "labels": ["A", "B", "C"],
    "options": [{"id": id_, "title": title} for id_, title in TITLES.items()],
    "seed": 7,
}
SETTINGS = {
    "draws": 500,
    "confidence": 0.95,
    "seed": 3,
    "interval": "percentile",
    "margins": {},
    "power": 0.8,
}
IDS = [f"q{i}" for i in range(40)]


def shown(item_id: str) -> list[str]:
    """The titles in the order of a question, as one reads them there."""
    lines = question("{options}", item_id, VIEW).split("\n")
    assert [line[:3] for line in lines] == [f"{letter}. " for letter in LETTERS[: len(lines)]]
    return [line[3:] for line in lines]


@given(st.text(min_size=1, max_size=8), st.integers(2, 26), st.integers(0, 99))
def test_every_option_has_one_letter(item_id: str, k: int, seed: int) -> None:
    view = {"options": [{"id": str(i), "title": str(i)} for i in range(k)], "seed": seed}
    order = order_of(item_id, view)
    assert sorted(order) == [*range(k)]
    # What is read by letters is given back by options.
    assert in_study_order([float(i) for i in order], item_id, view) == [float(i) for i in range(k)]


def test_no_option_has_a_letter_of_its_own() -> None:
    firsts = [shown(id_)[0] for id_ in IDS]
    counts = [firsts.count(title) for title in TITLES.values()]
    assert sum(counts) == len(IDS)
    assert min(counts) >= 5


CASES = pl.DataFrame({"item_id": ["null:1", "q1", "q2"], "case": ["N/A", "Pain.", "A rash."]})
TEXTS = {"main": "You are a nurse.", "paraphrase_1": "Act as a nurse."}


@pytest.mark.parametrize("placement", ["system", "user"])
def test_the_question_stands_where_the_task_would(placement: str) -> None:
    task = {"instruction": "Be brief.", "user": "Case: {case}", "placement": placement}
    prompts = build_prompts(CASES, TEXTS, task)
    chats = chats_before(prompts, VIEW)
    assert chats.select("item_id", "variant").rows() == [
        (item, variant) for variant in TEXTS for item in ("q1", "q2")
    ]
    for row in chats.iter_rows(named=True):
        persona = TEXTS[row["variant"]]
        asked = question(VIEW["question"], row["item_id"], VIEW)
        in_user = placement == "user"
        assert row["user"] == (f"{persona}\n\n{asked}" if in_user else asked)
        assert row["system"] == ("Be brief." if in_user else f"{persona}\nBe brief.")
    assert chats["prompt_id"].n_unique() == chats.select("system", "user").n_unique()


def answered(rows: list[dict[str, Any]]) -> pl.DataFrame:
    base = {"variant": "main", "repeat": 0, "finish_reason": "stop", "backend": "llama.cpp"}
    return pl.DataFrame([base | row for row in rows], schema=RESPONSES)


RESPONDED = answered(
    [
        {"item_id": "null:1", "text": "B"},
        {"item_id": "q1", "text": " Rest."},
        {"item_id": "q1", "text": " Drink.", "repeat": 1},
        {"item_id": "q2", "text": None, "finish_reason": "prompt_too_long"},
    ]
)


def test_behind_an_answer_the_same_question_follows() -> None:
    task = {"instruction": "", "user": "{case}"}
    prompts = build_prompts(CASES, {"main": TEXTS["main"]}, task)
    (row,) = chats_after(prompts, RESPONDED, VIEW, "Advice:").iter_rows(named=True)
    assert (row["item_id"], row["user"]) == ("q1", "Pain.")
    assert row["later"] == ["Advice: Rest.", question(VIEW["question"], "q1", VIEW)]


def said(item_id: str, text: str | None, **p: float) -> dict[str, Any]:
    """An answer in which these options have these probabilities."""
    by_title = {TITLES[id_]: value for id_, value in p.items()}
    logprob = [float(np.log(by_title[title])) for title in shown(item_id)] if p else None
    return {"item_id": item_id, "text": text, "label_logprob": logprob}


def test_the_likeliest_letter_is_whom_it_names() -> None:
    letter = LETTERS[shown("q1").index("ED nurse")]
    before = answered(
        [
            said("q1", f" {letter}.", nurse=0.1, physician=0.3, none=0.1),
            said("q2", " I cannot say", nurse=0.2, physician=0.2, none=0.4),
        ]
    )
    after = answered([said("q1", " ?") | {"label_logprob": [float("-inf")] * 3}])
    table = identified(RESPONDED, {"before": before, "after": after}, VIEW)
    rows = {(r["asked"], r["item_id"]): r for r in table.iter_rows(named=True)}
    one, two = rows["before", "q1"], rows["before", "q2"]
    assert (one["status"], one["named"], one["written"]) == ("read", "physician", "nurse")
    assert one["probabilities"] == pytest.approx([0.2, 0.6, 0.2])
    assert one["mass"] == pytest.approx(0.5)
    assert (two["named"], two["written"]) == ("none", None)
    assert rows["after", "q1"]["status"] == "no_probability"
    assert rows["after", "q2"]["status"] == "no_answer"
    assert rows["after", "q2"]["named"] is None


def cells(seed: int, personas: tuple[str, ...]) -> dict[str, dict[str, measures.Named]]:
    """Random answers before and behind, some of them none."""
    generator = np.random.default_rng(seed)
    items = pl.DataFrame({"item_id": IDS})
    ids = [one["id"] for one in VIEW["options"]]
    found: dict[str, dict[str, measures.Named]] = {}
    for source in ("before", "after"):
        for persona in personas:
            p = generator.dirichlet([1.0] * len(ids), len(IDS))
            nobody = generator.random(len(IDS)) < 0.1
            rows = pl.DataFrame(
                {
                    "item_id": IDS,
                    "named": [
                        None if n else ids[i] for n, i in zip(nobody, p.argmax(1), strict=True)
                    ],
                    "probabilities": [None if n else [*q] for n, q in zip(nobody, p, strict=True)],
                    "backend": "llama.cpp",
                }
            )
            one = measures.named_of(rows, items, persona, VIEW, None)
            found.setdefault(source, {})[persona] = one
    return found


PERSONAS = ("nurse", "physician", "baseline", "control")


def rows_of(found: list[dict[str, Any]], **where: str) -> list[dict[str, Any]]:
    return [row for row in found if all(row[key] == value for key, value in where.items())]


def test_shares_and_scores_are_those_of_other_libraries() -> None:
    of = cells(1, PERSONAS)
    found, confusion = measures.identification_rows(of, SETTINGS)
    for persona, this in of["after"].items():
        where = {"persona": persona, "source": "after"}
        (row,) = rows_of(found, metric=measures.ACCURACY, **where)
        hits = int((this.named == this.right).sum())
        assert row["value"] == hits / 40
        bounds = proportion_confint(hits, 40, method="wilson")
        assert (row["low"], row["high"]) == pytest.approx(bounds)
        assert row["chance"] == pytest.approx(1 / 3)
        assert row["n_unnamed"] == (this.named < 0).sum() > 0
        taken = {r["named"]: r["count"] for r in rows_of(confusion, **where)}
        assert sum(taken.values()) == 40
        assert taken[None] == row["n_unnamed"]
        # Brier 1950: squared errors of the probabilities of all categories, 0 to 2.
        known = this.probabilities[this.named >= 0]
        target = np.eye(3)[[this.right] * len(known)]
        (brier,) = rows_of(found, metric=measures.BRIER, **where)
        assert brier["value"] == pytest.approx(((known - target) ** 2).sum(1).mean())
        assert brier["n"] == len(known)
        assert brier["chance"] == pytest.approx(3 * ((1 / 3 - np.array([1, 0, 0])) ** 2).mean())


def test_the_mean_over_all_is_balanced() -> None:
    """Of two personas that are rightly none of the options, each counts for half of it."""
    of = cells(2, PERSONAS)
    found, _ = measures.identification_rows(of, SETTINGS)
    for source in ("before", "after"):
        (row,) = rows_of(found, persona="all", source=source, metric=measures.ACCURACY)
        right = np.concatenate([[this.right] * 40 for this in of[source].values()])
        named = np.concatenate([this.named for this in of[source].values()])
        with pytest.warns(UserWarning, match="not in y_true"):
            expected = balanced_accuracy_score(right, named)
        assert row["value"] == pytest.approx(expected)
        assert row["low"] < row["value"] < row["high"]


def test_who_always_names_the_same_one_is_right_by_chance() -> None:
    of = cells(3, PERSONAS)
    for source in of.values():
        for persona, this in source.items():
            source[persona] = replace(this, named=np.zeros(40, dtype=np.int64))
    found, _ = measures.identification_rows(of, SETTINGS)
    (row,) = rows_of(found, persona="all", source="after", metric=measures.ACCURACY)
    assert row["value"] == pytest.approx(row["chance"])
    (change,) = rows_of(found, persona="all", source="change", metric=measures.ACCURACY)
    assert (change["value"], change["p"]) == (0.0, 1.0)


def test_a_change_is_a_paired_test() -> None:
    of = cells(4, PERSONAS)
    found, _ = measures.identification_rows(of, SETTINGS)
    for persona in PERSONAS:
        (row,) = rows_of(found, persona=persona, source="change", metric=measures.ACCURACY)
        now, then = (of[s][persona].hits[measures.ACCURACY] for s in ("after", "before"))
        assert row["value"] == pytest.approx(now.mean() - then.mean())
        counts = [[(now & then).sum(), (now & ~then).sum()]]
        counts += [[(~now & then).sum(), (~now & ~then).sum()]]
        assert row["p"] == pytest.approx(mcnemar(counts, exact=True).pvalue)
        assert row["low"] <= row["value"] <= row["high"]


def test_only_changes_of_personas_are_tests() -> None:
    found, _ = measures.identification_rows(cells(5, PERSONAS), SETTINGS)
    place = {"model": "m", "task": "t", "variant": "main"}
    schema = measures.IDENTIFICATION
    table = measures.with_holm(pl.DataFrame([place | row for row in found], schema=schema))
    tested = table.filter(pl.col("p_holm").is_not_null())
    assert tested["persona"].to_list() == [*PERSONAS]
    assert tested["metric"].unique().to_list() == [measures.ACCURACY]
    assert (tested["p_holm"] >= tested["p"]).all()


def test_a_wording_without_a_baseline_has_no_mean_over_all() -> None:
    found, _ = measures.identification_rows(cells(6, ("nurse", "physician")), SETTINGS)
    assert rows_of(found, persona="all") == []


def ten_personas() -> dict[str, Any]:
    """The settings of study `teaching`."""
    names = ("config/config.yaml", "config/studies/teaching.yaml")
    default, teaching = (yaml.safe_load((ROOT / name).read_text()) for name in names)
    return {**default, **teaching}


def study(**asked: Any) -> Any:
    return load_study(ten_personas() | {"identification": asked}, ROOT / "config", check_schema)


def test_options_are_the_personas_of_the_groups_but_the_baseline() -> None:
    of = study(groups=["paper", "comparison"], tasks=["triage_ed"])
    assert "no_persona" not in of.identified_personas
    assert {"ed_nurse", "layperson"} <= {*of.identified_personas}
    assert "neutral_sentence" not in of.identified_personas
    assert of.identified_tasks == ["triage_ed"]
    assert {"identification", "identification_confusion"} <= {*of.possible_tables}
    assert {"identification", "identification_confusion"} <= {*of.possible_figures}
    assert "identification" not in study(groups=["paper"]).possible_figures


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"groups": ["paper"], "tasks": ["nope"]}, "`identification.tasks` .* names 'nope'"),
        ({"groups": ["nope"]}, "`identification.groups` .* names 'nope'"),
        ({"groups": ["paper"], "none": "ed NURSE"}, "title of persona 'ed_nurse'"),
        ({"groups": ["paper"], "question": "Who?"}, "options"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        study(**asked)


def test_there_are_letters_for_so_many_personas() -> None:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= {"personas": ["no_persona", "roles@all"], "identification": {"groups": ["roles"]}}
    with pytest.raises(InputError, match="letters for 25"):
        load_study(settings, ROOT / "config", check_schema)


def drawn(seed: int) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """Tables of a study with one task, and the settings of its figures."""
    found, confusion = measures.identification_rows(cells(seed, PERSONAS), SETTINGS)
    place = {"model": "m", "task": "t", "variant": "main"}
    tables = {
        "identification": measures.with_holm(
            pl.DataFrame([place | row for row in found], schema=measures.IDENTIFICATION)
        ),
        "identification_confusion": pl.DataFrame(
            [place | row for row in confusion], schema=measures.CONFUSION
        ),
    }
    task = {"title": "A task", "teaching": True, "sample": None, "clustered": False}
    settings = {
        "title": "A study",
        "seed": 3,
        "draws": 500,
        "confidence": 0.95,
        "interval": "percentile",
        "too_few_below": 10,
        "models": {"m": "A model"},
        "persona_order": [*PERSONAS],
        "personas": {id_: {"title": TITLES.get(id_, id_.title())} for id_ in PERSONAS},
        "tasks": {"t": task},
        "judges": {},
        "identification": {"options": VIEW["options"], "tasks": {"t": task}},
    }
    return tables, settings


def test_figures_show_what_the_tables_hold() -> None:
    tables, settings = drawn(7)
    points = shares.rows(tables, settings)
    assert points["label"].to_list()[:2] == ["ED nurse, before", "ED nurse, behind the answer"]
    main = tables["identification"].filter(
        (pl.col("metric") == measures.ACCURACY) & (pl.col("source") != "change")
    )
    assert sorted(points["share"]) == sorted(main["value"])
    matrix = confusions.rows(tables, settings)
    assert matrix.height == 2 * len(PERSONAS) * (len(TITLES) + 1)
    assert matrix.filter("right").height == 2 * len(PERSONAS)
    assert (
        matrix.group_by("panel", "label").agg(pl.col("count").sum())["count"].unique().item() == 40
    )
    for module in (shares, confusions):
        spec = vega.report_figure(module, tables, settings)
        assert spec["title"]["text"] == ["A study"]


def test_too_few_items_have_no_share() -> None:
    tables, settings = drawn(8)
    few = settings | {"too_few_below": 41}
    assert shares.rows(tables, few)["share"].drop_nulls().is_empty()
    assert shares.rows(tables, few)["said"][0].startswith("too few")
    matrix = confusions.rows(tables, few)
    assert matrix["share"].drop_nulls().is_empty()
    assert matrix["text"].to_list() == [str(count) for count in matrix["count"]]


@pytest.mark.parametrize("figure", ["identification", "identification_confusion"])
def test_captions_tell(figure: str) -> None:
    assert_caption_tells(figure)


def test_the_summary_gives_every_number_with_its_interval() -> None:
    tables, settings = drawn(9)
    ((title, _, section),) = words.SECTIONS
    text = "\n".join(section(tables, settings, {}))
    assert title == "Is the persona kept?"
    (row,) = (
        tables["identification"]
        .filter(persona="all", source="after", metric=measures.ACCURACY)
        .iter_rows(named=True)
    )
    numbers = "{:.1f}% [{:.1f}, {:.1f}]".format(*(100 * row[k] for k in ("value", "low", "high")))
    assert f"{numbers} behind its answer (n = 40 items" in text
    assert "33.3%" in text
    named = sum(
        int((this.named < 0).sum())
        for source in cells(9, PERSONAS).values()
        for this in source.values()
    )
    assert f"Nobody is named in {named} of 320 questions" in text


# --- a judge names the persona ------------------------------------------------------------

NAMING: dict[str, Any] = {
    "instruction": "Judge.",
    "user": "Message:\n{question}\n\nAnswer:\n{answer}",
    "questions": {},
    "identification": {key: VIEW[key] for key in ("labels", "options", "seed")}
    | {"question": "Who wrote it?\n{options}"},
    "masked": ["nurse", "ED nurse", "physician", "ED physician", "You are a nurse."],
}
ANSWERS = pl.DataFrame(
    {
        "item_id": ["q1", "q2", "q3"],
        "variant": ["main"] * 3,
        "repeat": [0] * 3,
        "question": ["Shall I call an ED nurse?", "And now?", "Well?"],
        "text": ["As an ED nurse, I would rest it.", "Any physician says so.", " "],
    }
)


def test_a_judge_reads_no_name_of_a_persona() -> None:
    chats = rating_chats(ANSWERS, NAMING)
    assert chats["item_id"].to_list() == ["q1", "q2"], "an answer that says nothing is not shown"
    assert chats["dimension"].unique().to_list() == ["persona"]
    for row in chats.iter_rows(named=True):
        asked = question("Who wrote it?\n{options}", row["item_id"], VIEW)
        assert row["user"].endswith(f"\n\n{asked}")
        read = row["user"].removesuffix(asked)
        assert row["shared"] == read
        assert "nurse" not in read
        assert "physician" not in read
        assert "[...]" in read
    assert chats["n_characters"].to_list() == [len(text) for text in ANSWERS["text"][:2]]


def test_a_verdict_by_letters_is_one_by_persona() -> None:
    chats = rating_chats(ANSWERS, NAMING)
    letter = LETTERS[shown("q1").index("None of these")]
    verdicts = answered(
        [
            said("q1", f" {letter}", nurse=0.1, physician=0.3, none=0.1),
            said("q2", " ?", nurse=0.6, physician=0.2, none=0.2),
        ]
    )
    options = {"persona": [*TITLES]}
    view = {"scale": 5, "better": {}, "classes": options} | {
        "identification": NAMING["identification"]
    }
    table = judgements(ANSWERS, chats, verdicts, view)
    assert table["mode"].to_list() == [2, 1, None]
    assert table["written"].to_list() == [3, None, None]
    assert table["probabilities"][0].to_list() == pytest.approx([0.2, 0.6, 0.2])
    assert table["status"].to_list() == ["read", "read", "empty"]


def known_authors(right: int, wrong: int) -> pl.DataFrame:
    """Judgements of answers by the nurse, so many of them named rightly."""
    modes = [1] * right + [2] * wrong
    base = {"variant": "nurse", "repeat": 0, "dimension": "persona", "status": "read"}
    rows = [
        base | {"item_id": f"a{i}", "mode": mode, "written": mode, "probabilities": [0.5, 0.5]}
        for i, mode in enumerate(modes)
    ]
    return pl.DataFrame(rows, schema=JUDGEMENT)


@pytest.mark.parametrize(
    ("right", "wrong", "least", "usable"),
    [(40, 8, 0.5, True), (28, 20, 0.5, False), (28, 20, 0.0, True), (16, 32, 0.0, False)],
)
def test_a_judge_must_name_known_authors_better_than_its_rule_and_chance(
    right: int, wrong: int, least: float, usable: bool
) -> None:
    rows = trust.author_rows(known_authors(right, wrong), [*TITLES], SETTINGS)
    bounds = proportion_confint(right, right + wrong, method="wilson")
    assert (rows[0]["low"], rows[0]["high"]) == pytest.approx(bounds)
    assert usable == (bounds[0] >= max(least, 1 / 3))
    verdict = trust.names_authors(rows, {"authors_accuracy": least}, len(TITLES))
    assert verdict["met"] is usable
    assert (verdict["note"] is None) is usable


def test_an_author_that_is_no_option_is_none_of_them() -> None:
    table = known_authors(0, 4).with_columns(variant=pl.lit("engineer"), mode=pl.lit(3))
    (row, *_) = trust.author_rows(table, [*TITLES], SETTINGS)
    assert row["value"] == 1.0


def test_without_known_authors_a_judge_is_not_usable() -> None:
    rows = trust.author_rows(known_authors(0, 0), [*TITLES], SETTINGS)
    verdict = trust.names_authors(rows, {"authors_accuracy": 0.0}, len(TITLES))
    assert (verdict["met"], verdict["note"]) == (False, "there are no answers of known authors")


def test_the_bundled_authors_are_told_apart_by_no_name() -> None:
    """Eight of the ten personas answer the same six questions."""
    table = pl.read_csv(ROOT / "resources/bundled/judge_authors.csv")
    settings = ten_personas()
    assert {*table["persona"]} == {*settings["personas"]} - {"no_persona", "neutral_sentence"}
    assert table.group_by("persona").len()["len"].unique().to_list() == [6]
    assert table.group_by("question").len()["len"].unique().to_list() == [8]
    of = load_study(settings, ROOT / "config", check_schema)
    strings = identifying(of.personas, {})
    for text in table["answer"]:
        assert unblinded(text, strings) == [], text


def judged_by(**change: Any) -> Any:
    """The default study with the bundled judge of personas changed."""
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= {"judges": ["smollm2_personas"]} | change
    return load_study(settings, ROOT / "config", check_schema)


def test_a_judge_of_personas_needs_personas_to_name() -> None:
    with pytest.raises(InputError, match=r"`personas` .*`identification` of the"):
        judged_by()
    of = judged_by(identification={"groups": ["paper"]})
    assert of.naming_judges == ["smollm2_personas"]
    assert of.identified_tasks == []
    assert "identification" in of.possible_figures
