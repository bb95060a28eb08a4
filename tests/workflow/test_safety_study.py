"""Safety tasks, reasoning before the label, and judges, through the command line."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import polars as pl
import pytest
import yaml
from answer_store import look_after, shrink_loses_nothing
from documented import check_files
from loopback_server import add_server, running_server
from project import Project
from refusals import refused_at_once
from safety_study import (
    CAREFUL,
    CAREFUL_FILE,
    CELL,
    CHECKS,
    HEADER,
    ITEMS,
    PAIRS,
    PERSONAS,
    PLAIN,
    PRESSURE,
    REASONED,
    REASONING,
    SAFETY,
    SANITY,
    STUDY,
    TARGETS,
    TEACHER,
    judged_study,
    small_study,
    write,
)
from scipy import special

from persona_paradox.kinds.labelled.labels import parse_label


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study that has run; it is not to be changed."""
    return judged_study(tmp_path_factory)


@pytest.fixture
def copied(ran: Project, tmp_path: Path) -> Project:
    """A copy of it, times of files and all."""
    return ran.copy(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """The same study; nothing has run."""
    return small_study(tmp_path / "project")


def read(project: Project, path: str) -> pl.DataFrame:
    return pl.read_parquet(project.path / f"results/{path}.parquet")


def test_every_file_has_the_columns_that_are_documented(ran: Project) -> None:
    seen = check_files(ran.path)
    assert "results/rankings/{judge}/{model}/{task}.lists.parquet" in seen
    assert "results/reasonings/{model}/{task}/{persona}.parquet" in seen
    assert "results/checks/{judge}/pairs.parquet" in seen


def text_of(project: Project, persona: str) -> str:
    file = project.path / f"config/personas/{persona}.yaml"
    text: str = yaml.safe_load(file.read_text())["texts"]["main"]
    return text


# --- safety tasks -------------------------------------------------------------------------


def test_the_system_prompt_is_the_persona_alone(ran: Project) -> None:
    items = pl.read_parquet(ran.path / "resources/datasets/teaching_safety.parquet")
    case_of = dict(items.select("item_id", "case").rows())
    for persona in PERSONAS:
        prompts = read(ran, f"prompts/{SAFETY}/{persona}")
        assert prompts.height == ITEMS
        assert prompts["system"].unique().to_list() == [text_of(ran, persona)]
        for item_id, user in prompts.select("item_id", "user").rows():
            assert user.startswith(f"{case_of[item_id]}\n\n")
            assert PRESSURE in user
    plain = read(ran, f"prompts/{PLAIN}/ed_nurse")
    assert plain["system"].unique().to_list() == [text_of(ran, "ed_nurse")]
    assert plain["user"].to_list() == [case_of[item_id] for item_id in plain["item_id"]]
    assert plain.height == STUDY["limit"], "the other task has a limit of its own"


def test_no_persona_is_an_explicit_empty_system_message(ran: Project) -> None:
    assert text_of(ran, "no_persona") == ""
    for persona in PERSONAS:
        delivered = read(ran, f"delivered/{CELL}/{persona}")
        prompts = read(ran, f"prompts/{SAFETY}/{persona}")
        assert delivered["text"].to_list() == [
            f"<|im_start|>system\n{text_of(ran, persona)}<|im_end|>\n"
            f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
            for user in prompts["user"]
        ]
        answers = read(ran, f"responses/{CELL}/{persona}")
        assert answers["finish_reason"].is_in(["stop", "length"]).all()
        assert answers["label_logprob"].null_count() == ITEMS, "free text has no labels"


def test_a_sample_of_questions_has_all_categories(ran: Project) -> None:
    items = pl.read_parquet(ran.path / "resources/datasets/teaching_safety.parquet")
    drawn = read(ran, f"prompts/{SAFETY}/ed_nurse").join(items, on="item_id")
    assert drawn["category"].n_unique() == items["category"].n_unique() == ITEMS
    assert "reference" not in items.columns


# --- reasoning before the label -----------------------------------------------------------


def test_a_header_stands_behind_every_reasoning(ran: Project) -> None:
    reasonings = read(ran, f"reasonings/{REASONING}")
    behind = read(ran, f"conclusions/{REASONING}")
    responses = read(ran, f"responses/{REASONING}")
    keys = ("item_id", "variant", "repeat")
    assert responses.select(keys).equals(reasonings.select(keys))
    # Two cases with a greedy and a sampled answer each, and a null case.
    assert responses["repeat"].to_list() == [0, 1, 0, 1, 0]
    assert responses["item_id"].to_list()[-1] == "null:1"
    rows = zip(responses["text"], reasonings["text"], behind["text"], strict=True)
    for text, reasoning, answer in rows:
        assert text.count(HEADER) == 1
        assert text == f"{reasoning.rstrip()}\n\n{HEADER}\n{answer}"
    assert any(text.strip() for text in reasonings["text"])
    assert responses["label_logprob"].null_count() == 0
    assert responses["label_logprob"].equals(behind["label_logprob"])
    assert responses["label_logprob"].list.len().unique().to_list() == [3]
    assert reasonings["label_logprob"].null_count() == 5, "labels are read behind the reasoning"
    read_there = read(ran, f"conclusions_delivered/{REASONING}")
    assert all(text.endswith(f"\n\n{HEADER}\n") for text in read_there["text"])


def test_scores_read_what_stands_behind_the_header(ran: Project) -> None:
    responses = read(ran, f"responses/{REASONING}").head(4)
    found = read(ran, f"scores/{REASONING}")
    expected = [parse_label(text.split(HEADER)[1], "ABC") for text in responses["text"]]
    assert found.select("label", "parse_status").rows() == expected
    for logprob, confidence in zip(responses["label_logprob"], found["confidence"], strict=True):
        assert confidence == pytest.approx(special.softmax(logprob.to_list()).max())


# --- what answers hold --------------------------------------------------------------------

MEASURED = f"results/measures/{CELL}/contrasts.parquet"
CATEGORY = "workflow/persona_paradox/scorers/lexicon/letters.yaml"


def test_answers_in_free_text_are_measured_without_a_judge(copied: Project) -> None:
    copied.run("--cores", "1", MEASURED)
    assert "results/scores/{model}/{free_text_task}/{persona}.parquet" in check_files(copied.path)
    scores = read(copied, f"scores/{CELL}/ed_nurse")
    responses = read(copied, f"responses/{CELL}/ed_nurse")
    assert scores["item_id"].to_list() == responses["item_id"].to_list()
    texts = responses["text"].str.strip_chars()
    assert (scores["outcome"] == "unreadable").to_list() == (texts == "").to_list()
    contrasts = read(copied, f"measures/{CELL}/contrasts")
    words = contrasts.filter(metric="words", persona="ed_nurse", variant="main")
    assert words.item(0, "value") == pytest.approx(scores["n_words"].mean())
    assert words.item(0, "n") == ITEMS


def test_a_category_of_ones_own_is_a_file(copied: Project) -> None:
    copied.run("--cores", "1", MEASURED)
    before = read(copied, f"measures/{CELL}/measures")
    about = {"title": "Letters", "description": "Words of one letter."}
    about |= {"direction": "lowers", "weight": 2, "patterns": ["[a-z]"]}
    write(copied, CATEGORY, about)
    assert copied.jobs(MEASURED) == sorted(
        [f"measure_safety {CELL}", *(f"score {CELL}/{persona}" for persona in PERSONAS)]
    )
    copied.run("--cores", "1", MEASURED)
    assert "letters" in read(copied, f"scores/{CELL}/ed_nurse").columns
    after = read(copied, f"measures/{CELL}/measures")
    new = set(after["metric"]) - set(before["metric"])
    assert new == {"letters_per_answer", "letters_per_100_words"}


def test_a_category_that_is_none_is_told_before_anything_runs(fresh: Project) -> None:
    about = {"title": "Letters", "description": "Words.", "direction": "lowers", "weight": 2}
    write(fresh, CATEGORY, about | {"patterns": ["(a"]})
    refused_at_once(fresh, CATEGORY, "entry 1 of key `patterns`", "mend it")


# --- judges -------------------------------------------------------------------------------


def test_judges_see_no_persona(ran: Project) -> None:
    sentences = [text for persona in PERSONAS if (text := text_of(ran, persona))]
    files = sorted((ran.path / "results/judging").rglob("*.parquet"))
    assert len(files) == len(PERSONAS) + len(PAIRS) + 1 + 2 + 1
    for file in files:
        judge = TEACHER if "teacher" in file.parts else CAREFUL
        for text in pl.read_parquet(file)["text"]:
            rubric = f"<|im_start|>system\n{judge['instruction']}<|im_end|>\n<|im_start|>user\n"
            assert text.startswith(rubric)
            assert text.endswith("Verdict:")
            assert not any(sentence in text for sentence in sentences)


def test_the_questions_on_an_answer_share_their_beginning(ran: Project) -> None:
    delivered = read(ran, f"judging/careful/ratings/{CELL}/ed_nurse")
    pieces = [[tuple(piece) for piece in row] for row in delivered["pieces"].to_list()]
    for start in range(0, len(pieces), 3):
        of_answer = pieces[start : start + 3]
        assert len({tuple(row[:-1]) for row in of_answer}) == 1
        assert len({row[-1] for row in of_answer}) == 3
    assert len({tuple(row[:-1]) for row in pieces}) == len(pieces) / 3


@pytest.mark.parametrize("persona", PERSONAS)
def test_ratings_are_those_of_the_verdicts(ran: Project, persona: str) -> None:
    found = read(ran, f"judgements/careful/{CELL}/{persona}")
    answers = read(ran, f"responses/{CELL}/{persona}")
    said = answers.filter(pl.col("text").str.strip_chars() != "")
    assert found["item_id"].to_list() == [id_ for id_ in answers["item_id"] for _ in range(3)]
    assert found["dimension"].to_list() == ["harm", "help", "action"] * ITEMS
    verdicts = read(ran, f"verdicts/careful/ratings/{CELL}/{persona}")
    assert verdicts.height == 3 * said.height
    shown = read(ran, f"judging/careful/ratings/{CELL}/{persona}")["text"]
    questions = {rating["id"]: rating["question"] for rating in CAREFUL["ratings"]}
    questions["action"] = CAREFUL["action"]["question"]
    judged = found.filter(pl.col("status") == "read")
    assert judged.height == verdicts.height
    assert set(found["status"]) <= {"read", "empty"}
    for row in judged.iter_rows(named=True):
        asked = (verdicts["item_id"] == row["item_id"]) & shown.str.contains(
            f"\n\n{questions[row['dimension']]}<|im_end|>", literal=True
        )
        (logprob,) = verdicts.filter(asked)["label_logprob"]
        n = 3 if row["dimension"] == "action" else 5
        p = special.softmax(logprob.to_list()[:n])
        assert row["probabilities"] == pytest.approx(list(p))
        if n == 5:
            assert row["value"] == pytest.approx(sum(i * x for i, x in enumerate(p, start=1)))


def test_pairs_are_compared_in_both_orders(ran: Project) -> None:
    found = read(ran, f"rankings/careful/{CELL}")
    assert found.select("first", "second").rows() == [
        pair for pair in combinations(PERSONAS, 2) for _ in range(ITEMS)
    ]
    answers = {
        p: dict(read(ran, f"responses/{CELL}/{p}")["item_id", "text"].rows()) for p in PERSONAS
    }
    statuses = []
    for pair in PAIRS:
        first, second = pair.split(".vs.")
        rows = found.filter((pl.col("first") == first) & (pl.col("second") == second))
        shown = read(ran, f"judging/careful/pairs/{CELL}/{pair}")
        verdicts = read(ran, f"verdicts/careful/pairs/{CELL}/{pair}")
        asked = iter(zip(shown["item_id"], shown["text"], verdicts["label_logprob"], strict=True))
        for row in rows.iter_rows(named=True):
            statuses.append(row["status"])
            mine, other = answers[first][row["item_id"]], answers[second][row["item_id"]]
            if row["status"] != "read":
                assert (mine.strip() == other.strip()) or not mine.strip() or not other.strip()
                continue
            wins = []
            for texts in ((mine, other), (other, mine)):
                item_id, text, logprob = next(asked)
                assert item_id == row["item_id"]
                assert f"Answer 1:\n{texts[0]}\n\nAnswer 2:\n{texts[1]}\n\nWhich" in text
                wins.append(texts[int(logprob[1] > logprob[0])] == mine)
            assert row["consistent"] == (wins[0] == wins[1])
            assert row["outcome"] == (float(wins[0]) if wins[0] == wins[1] else 0.5)
            assert row["length_difference"] == len(mine) - len(other)
        assert next(asked, None) is None
    assert "read" in statuses
    assert set(statuses) <= {"read", "identical", "empty"}


def test_lists_name_the_best(ran: Project) -> None:
    found = read(ran, f"rankings/careful/{CELL}.lists")
    assert found["name"].to_list() == [*PERSONAS] * ITEMS
    for _, part in found.group_by("item_id"):
        if part["status"][0] == "read":
            assert part["p"].sum() == pytest.approx(1)
        else:
            assert part["p"].null_count() == len(PERSONAS)
    assert "read" in found["status"].to_list()


def test_answers_that_a_judge_cannot_read_stay_as_rows(ran: Project) -> None:
    ratings = read(ran, "checks/careful/ratings")
    variants = ("safer", "unsafe", "answer", "injection")
    per_variant = ratings.group_by("variant", maintain_order=True).len().rows()
    assert per_variant == [(variant, 2 * CHECKS) for variant in variants]
    assert "action" not in ratings["dimension"].to_list(), "nobody asks for it"
    status = dict(ratings.filter(pl.col("variant") == "injection")["item_id", "status"].rows())
    assert list(status.values()) == ["read", "prompt_too_long", "control_tokens"]
    assert ratings.filter(pl.col("variant") != "injection")["status"].unique().to_list() == ["read"]
    pairs = read(ran, "checks/careful/pairs")
    assert pairs["item_id"].to_list() == pl.read_csv(ran.path / SANITY)["id"].to_list()
    assert pairs.select("first", "second", "status").unique().rows() == [
        ("safer", "unsafe", "read")
    ]


def test_reasonings_are_rated_with_their_label(ran: Project) -> None:
    found = read(ran, f"judgements/teacher/{REASONING}")
    assert found["repeat"].to_list() == [0, 1, 0, 1], "null cases are not judged"
    assert found["dimension"].unique().to_list() == ["sound"]
    shown = read(ran, f"judging/teacher/ratings/{REASONING}")["text"]
    answers = read(ran, f"responses/{REASONING}")["text"].head(4)
    for text, answer in zip(shown, answers, strict=True):
        assert f"Explanation:\n{answer}\n\n1 to 5?" in text


def test_the_store_keeps_and_verifies_reasonings_and_verdicts(copied: Project) -> None:
    shrink_loses_nothing(copied)
    said = look_after(copied, "verify")
    assert said.endswith("\n0")
    assert f"{REASONING}: 5 answers computed again" in said
    assert " 0 not in the store, 0 differences" in said


def test_results_are_the_same_elsewhere_and_on_other_cores(ran: Project, fresh: Project) -> None:
    targets = (f"results/rankings/careful/{CELL}.parquet", TARGETS[-2])
    fresh.run("--cores", "2", *targets, POLARS_MAX_THREADS="2")
    expected, found = ran.checksums(), fresh.checksums()
    stages = ("verdicts", "rankings", "reasonings", "responses", "scores")
    for stage in stages:
        assert any(path.startswith(stage) for path in found)
    assert found.items() <= expected.items()


def test_a_judge_on_a_server(copied: Project) -> None:
    write(copied, "config/judges/far.yaml", CAREFUL | {"model": "far"})
    copied.edit("config/config.yaml", lambda study: study.update(judges=["far"]))
    target = f"results/judgements/far/{CELL}/ed_nurse.parquet"
    with running_server(copied.path / "tiny.gguf", window=2048) as url:
        add_server(copied, url)
        cell = f"{CELL}/ed_nurse"
        assert copied.jobs(target) == [
            f"deliver_ratings far/{cell}",
            f"judge_server far/ratings/{cell}",
            f"read_ratings far/{cell}",
        ]
        copied.run("--cores", "1", target)
    found, local = (
        read(copied, f"judgements/far/{cell}"),
        read(copied, f"judgements/careful/{cell}"),
    )
    keys = ("item_id", "dimension", "status", "n_characters")
    assert found.select(keys).equals(local.select(keys))
    assert found.filter(pl.col("status") == "read")["backend"].unique().to_list() == ["server"]
    assert found["value"].drop_nulls().is_between(1, 5).all()


# --- what runs again ----------------------------------------------------------------------


def judged(judge: str, form: str, *places: str) -> list[str]:
    """The jobs in which a judge reads something, and answers."""
    delivered = [f"deliver_{form} {judge}/{place.replace('.vs.', '/')}" for place in places]
    return delivered + [f"judge {judge}/{form}/{place}" for place in places]


def rated(judge: str, *cells: str) -> list[str]:
    ratings = judged(judge, "ratings", *cells)
    return ratings + [f"read_ratings {judge}/{cell}" for cell in cells]


def compared(*pairs: str) -> list[str]:
    pairs_ = judged("careful", "pairs", *(f"{CELL}/{pair}" for pair in pairs))
    return [*pairs_, f"rank careful/{CELL}"]


LISTED = [
    f"deliver_list careful/{CELL}",
    f"judge careful/list/{CELL}/all",
    f"read_list careful/{CELL}",
]
CHECKED = [
    "deliver_checks careful",
    "judge careful/checks/pairs",
    "judge careful/checks/ratings",
    "read_checks careful",
]
CELLS = [f"{CELL}/{persona}" for persona in PERSONAS]


def test_nothing_to_do(ran: Project) -> None:
    assert ran.jobs(*TARGETS) == []


def test_text_of_one_persona(copied: Project) -> None:
    copied.replace("config/personas/ed_nurse.yaml", "Department Nurse", "Department Head Nurse")
    nurse = f"{CELL}/ed_nurse"
    second_step = ("reason", "deliver_conclusions", "answer_behind", "conclude", "score")
    assert copied.jobs(*TARGETS) == sorted(
        [
            *(f"write_prompts {task}/ed_nurse" for task in (SAFETY, PLAIN, REASONED)),
            *(f"deliver {cell}" for cell in (nurse, REASONING)),
            f"generate {nurse}",
            *(f"{rule} {REASONING}" for rule in second_step),
            *rated("careful", nurse),
            *rated("teacher", REASONING),
            *compared("ed_nurse.vs.ed_physician", "ed_nurse.vs.no_persona"),
            *LISTED,
        ]
    )


def test_title_of_a_persona_and_of_a_judge(copied: Project) -> None:
    copied.replace("config/personas/ed_nurse.yaml", "title: ED nurse", "title: Nurse in the ED")
    copied.replace(CAREFUL_FILE, "title: Random weights", "title: A judge without a plan")
    copied.edit(CAREFUL_FILE, lambda judge: judge.update(usable={"sanity_accuracy": 0.9}))
    assert copied.jobs(*TARGETS) == []


def test_rubric_of_a_judge(copied: Project) -> None:
    copied.replace(CAREFUL_FILE, "Judge the answer.", "Judge this answer.")
    expected = [*rated("careful", *CELLS), *compared(*PAIRS), *LISTED, *CHECKED]
    assert copied.jobs(*TARGETS) == sorted(expected), "no answers, and nothing of other judges"


def test_which_end_of_a_scale_is_better(copied: Project) -> None:
    copied.replace(CAREFUL_FILE, "better: low", "better: high")
    read_again = [f"read_ratings careful/{cell}" for cell in CELLS]
    assert copied.jobs(*TARGETS) == sorted([*read_again, "read_checks careful"])


def test_answers_that_test_a_judge(copied: Project) -> None:
    copied.replace(SANITY, "heavy weights", "weights")
    assert copied.jobs(*TARGETS) == CHECKED


def test_header_of_the_reasoning(copied: Project) -> None:
    copied.edit(
        f"config/tasks/{REASONED}.yaml", lambda task: task["rationale"].update(header="## Final")
    )
    rules = ("reason", "deliver_conclusions", "answer_behind", "conclude", "score")
    expected = [f"{rule} {REASONING}" for rule in rules] + rated("teacher", REASONING)
    assert copied.jobs(*TARGETS) == sorted(expected)


def test_one_more_persona(copied: Project) -> None:
    copied.edit("config/config.yaml", lambda study: study["personas"].append("bridge_engineer"))
    assert copied.jobs(*TARGETS) == [], "controls are not compared"
    copied.edit("config/config.yaml", lambda study: study["personas"].append("helpful_assistant"))
    place = f"{SAFETY}/helpful_assistant"
    pairs = [f"{one}.vs.helpful_assistant" for one in PERSONAS[:2]]
    assert copied.jobs(*TARGETS) == sorted(
        [
            f"write_prompts {place}",
            f"deliver tiny/{place}",
            f"generate tiny/{place}",
            *compared(*pairs, "helpful_assistant.vs.no_persona"),
            *LISTED,
        ]
    )


def test_each_persona_with_the_baseline_alone(copied: Project) -> None:
    copied.edit("config/config.yaml", lambda study: study["rankings"].update(pairs="baseline"))
    assert copied.jobs(*TARGETS) == [f"rank careful/{CELL}"], "the verdicts are there"
    # The table has the pairs that were compared, and no other.
    copied.edit(
        "config/config.yaml", lambda study: study.update(tasks=[SAFETY], judges=["careful"])
    )
    copied.run("--cores", "1", "results/tables/wins.parquet")
    ranked = read(copied, f"rankings/careful/{CELL}")
    baseline = pl.lit("no_persona")
    assert ranked.select(
        ((pl.col("first") == baseline) | (pl.col("second") == baseline)).all()
    ).item()
    assert set(ranked["first"]) | set(ranked["second"]) == set(PERSONAS)
    wins = read(copied, "tables/wins")
    others = {persona for persona in PERSONAS if persona != "no_persona"}
    found = {frozenset(pair) for pair in wins.select("persona", "other").rows()}
    assert found == {frozenset({"no_persona", other}) for other in others}


def test_a_judge_with_a_list_and_without_pairs(fresh: Project) -> None:
    fresh.edit(CAREFUL_FILE, lambda judge: judge.update(pairs=None))
    fresh.edit("config/config.yaml", lambda study: study.update(tasks=[SAFETY], judges=["careful"]))
    jobs = fresh.jobs()
    expected = [*rated("careful", *CELLS), *LISTED, *CHECKED]
    assert [job for job in jobs if " careful" in job] == sorted(expected), "no pairs, no ranking"
    assert {"assess", "plot bradley_terry"} <= set(jobs)
    fresh.edit(CAREFUL_FILE, lambda judge: judge.update(pairs=CAREFUL["pairs"], list=None))
    expected = [*rated("careful", *CELLS), *compared(*PAIRS), *CHECKED]
    assert [job for job in fresh.jobs() if " careful" in job] == sorted(expected)
