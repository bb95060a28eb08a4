"""The bundled prompts of harm levels and principles, and the arms of their styles."""

from __future__ import annotations

import csv
import re
from collections import Counter
from importlib import import_module
from statistics import mean
from typing import Any

import polars as pl
import pytest
import yaml
from judged_answers import ACTIONS, STATISTICS, judgements, verdict
from root import ROOT

from persona_paradox.data.changes import perturb
from persona_paradox.data.items import read_items
from persona_paradox.judges.assessment import JUDGED, Assessment
from persona_paradox.kinds import base, measuring
from persona_paradox.kinds.safety.scoring import SCHEMA as SCORES
from persona_paradox.measures.cells import Measurement
from persona_paradox.schema import check_schema
from persona_paradox.scorers.lexicon import categories
from persona_paradox.study.arm_sets import arms_of
from persona_paradox.study.load import load_study
from persona_paradox.study.views import views

FILE = ROOT / "resources/bundled/teaching_cares.csv"
with open(FILE, encoding="utf-8", newline="") as handle:
    ROWS = list(csv.DictReader(handle))

# What would make a request one that could be carried out; numbers stand nowhere.
UNITS = re.compile(
    r"\b(?:milli|micro|kilo)?(?:grams?|lit(?:er|re)s?|met(?:er|re)s?)\b"
    r"|\b(?:mg|ml|kg|doses?|drops?|pints?|ounces?|percent|degrees|minutes|hours|volts?)\b",
    re.IGNORECASE,
)
STEPS = re.compile(r"\b(?:step|recipe|instructions?|procedure|ingredients?|mix|inject)", re.I)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def test_two_prompts_for_each_principle_and_level() -> None:
    assert list(ROWS[0]) == ["id", "principle", "harm_level", "prompt"]
    assert [row["id"] for row in ROWS] == [f"tcp_{i:02d}" for i in range(1, 65)]
    cells = Counter((row["principle"], row["harm_level"]) for row in ROWS)
    assert cells == {(p, level): 2 for p in "01234567" for level in "0123"}
    raw = FILE.read_bytes()
    assert b"\r" not in raw
    assert raw.endswith(b"\n")
    assert all(value == value.strip() != "" for row in ROWS for value in row.values())


def test_no_two_prompts_are_alike() -> None:
    runs = [
        {tuple(words(row["prompt"])[i : i + 6]) for i in range(len(words(row["prompt"])) - 5)}
        for row in ROWS
    ]
    assert all(runs)
    assert len(set.union(*runs)) == sum(map(len, runs))


def test_no_prompt_repeats_one_of_a_published_set(data_dir: Any) -> None:
    published = [
        *pl.read_csv(data_dir / "xstest/xstest_prompts.csv")["prompt"],
        *pl.read_ndjson(data_dir / "patientsafetybench466/patientsafetybench.jsonl")["content"],
    ]
    theirs = {tuple(w[i : i + 6]) for w in map(words, published) for i in range(len(w) - 5)}
    for row in ROWS:
        ours = words(row["prompt"])
        assert not theirs & {tuple(ours[i : i + 6]) for i in range(len(ours) - 5)}, row["id"]


@pytest.mark.parametrize("level", ["2", "3"])
def test_an_answer_to_a_harmful_request_could_not_be_used(level: str) -> None:
    """No number, no unit, no procedure is asked for or named."""
    for row in ROWS:
        if row["harm_level"] == level:
            for pattern in (r"\d", UNITS, STEPS):
                assert not re.search(pattern, row["prompt"]), row["id"]


@pytest.mark.parametrize("text", ["0.5", "two grams", "50 mg", "in three steps", "inject it"])
def test_what_could_be_carried_out_would_be_seen(text: str) -> None:
    assert any(re.search(pattern, text) for pattern in (r"\d", UNITS, STEPS))


def test_form_does_not_tell_the_level() -> None:
    groups = [[row["prompt"] for row in ROWS if row["harm_level"] == level] for level in "0123"]
    for group in groups:
        assert sum(text.endswith("?") for text in group) == 8
        assert mean(map(len, group)) == pytest.approx(mean(len(r["prompt"]) for r in ROWS), rel=0.1)
        assert all(60 <= len(text) <= 180 for text in group)


# --- their styles


def written(path: str, schema: str) -> dict[str, Any]:
    """A file of the configuration, checked and with its defaults."""
    content: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    check_schema(content, schema, path)
    return content


@pytest.fixture(scope="module")
def items() -> pl.DataFrame:
    path = "config/datasets/teaching_cares.yaml"
    read = read_items(
        [FILE], written(path, "safety/dataset"), path, base.load("safety", "items").columns
    )
    return read[0]


def test_the_data_set_has_their_principles_and_levels(items: pl.DataFrame) -> None:
    assert items.height == 64
    assert items["case"].to_list() == [row["prompt"] for row in ROWS]
    assert [str(level) for level in items["harm_level"]] == [row["harm_level"] for row in ROWS]
    dataset = written("config/datasets/teaching_cares.yaml", "safety/dataset")
    order = [category["id"] for category in dataset["categories"]]
    assert items["category"].to_list() == [order[int(row["principle"])] for row in ROWS]
    # The same principles, in the same words, as those of the published set.
    published = written("config/datasets/cares_18k.yaml", "safety/dataset")
    assert published["categories"] == dataset["categories"]
    assert published["columns"]["category"]["values"] == dataset["columns"]["category"]["values"]


@pytest.mark.parametrize("style", ["indirect", "obfuscated", "role_play"])
def test_a_style_changes_every_prompt_and_loses_no_word(items: pl.DataFrame, style: str) -> None:
    arm = arms_of("style", written("config/arm_sets/style.yaml", "arm_set"))[f"style_{style}"]
    assert arm["about"] == {"style": style}
    rule = import_module(f"persona_paradox.data.arms.{arm['rule']}").change
    keys = arm | {"case": {"column": "prompt"}}
    made = perturb(items, rule, keys, style, stratum="category")
    assert made["changed"].all()
    kept = [old in new for old, new in zip(items["case"], made["case"], strict=True)]
    if style != "obfuscated":
        assert all(kept)
        # Every frame is drawn for some, and none for most.
        drawn = Counter(made["change"])
        assert set(drawn) == set(arm["frames"])
        assert max(drawn.values()) <= 32
    else:
        assert not any(kept)
        note = arm["text"].removesuffix("{case}")
        for old, new in zip(items["case"], made["case"], strict=True):
            assert new.startswith(note)
            shown = new.removeprefix(note).split()
            same = [one == other for one, other in zip(old.split(), shown, strict=True)]
            # Enough is left to see that it is English.
            assert 0.3 <= mean(same) < 1


# --- styles as a subgroup of rows


def test_a_judge_s_figures_are_given_for_every_group_of_a_subgroup() -> None:
    styles = ["direct", "indirect", "role_play"]
    table = pl.DataFrame(
        {
            "item_id": [f"q{i}" for i in range(12)],
            "category": ["privacy"] * 12,
            "harm_level": [0, 1, 2, 3] * 3,
            "method": [styles[i % 3] for i in range(12)],
            "base_prompt": [f"b{i // 3}" for i in range(12)],
        }
    )
    dataset = written("config/datasets/cares_18k.yaml", "safety/dataset")
    view = base.spec("safety").measured({}, dataset) | {
        "kind": "safety",
        "context": "c",
        "dataset": "d",
        "better": {},
        "classes": {"action": ACTIONS},
        "proportionate": [[1, 0, 0]] * 4,
        "cluster": "base_prompt",
    }
    # Direct ones are refused, the others accepted.
    said = [
        verdict(row["item_id"], "action", 3 if row["method"] == "direct" else 1)
        for row in table.iter_rows(named=True)
    ]
    place = {"judge": "j", "model": "m", "task": "t"}
    made = Assessment(place, view, STATISTICS, items=table, baseline="none")
    rows = pl.DataFrame(made.assess({"none": judgements(said)})[0], schema=JUDGED)
    refused = dict(rows.filter(metric="refuse").select("category", "value").iter_rows())
    groups = {name: value for name, value in refused.items() if ": " in name}
    # A style that no row has is in no table; the others are called as the file calls them.
    assert groups == {"style: direct": 1.0, "style: indirect": 0.0, "style: role play": 0.0}
    assert refused["all"] == pytest.approx(1 / 3)


def test_language_is_counted_for_every_group_of_a_subgroup_as_well() -> None:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= {"tasks": ["cares_18k"], "personas": ["no_persona", "ed_nurse"], "judges": []}
    found = dict(views(load_study(settings | {"limits": {}}, ROOT / "config", check_schema)))
    ids = [f"q{i:02d}" for i in range(24)]
    methods = ["direct" if i % 2 else "obfuscate" for i in range(24)]
    bases = [f"base {i // 4}" for i in range(24)]
    rows = [
        dict.fromkeys(categories(), 0)
        | {"item_id": id_, "variant": "main", "repeat": 0, "outcome": "answered"}
        | {"n_words": 100 if method == "direct" else 20, "similarity": 0.1, "cluster": base_prompt}
        for id_, method, base_prompt in zip(ids, methods, bases, strict=True)
    ]
    scores = pl.DataFrame(rows, schema=SCORES)
    measurement = Measurement(
        *("m", "cares_18k", measuring.load("safety")),
        *(found["measures/cares_18k"], found["statistics"]),
        items=pl.DataFrame({"item_id": ids, "method": methods, "base_prompt": bases}),
    )
    measurement.measure({"no_persona": scores, "ed_nurse": scores}, {})
    table = measurement.tables()["subgroups"].filter(metric="words", persona="ed_nurse")
    values = {row["group"]: (row["n"], row["value"]) for row in table.iter_rows(named=True)}
    assert values == {"direct": (12, 100.0), "obfuscated": (12, 20.0)}
    assert set(table["subgroup"]) == {"style"}
