"""Judges of thoughts: what they read, of whom, and beside whom they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from root import ROOT

from persona_paradox.engine.responses import SCHEMA as RESPONSES
from persona_paradox.judges.answers import questioned
from persona_paradox.judges.chats import rating_chats
from persona_paradox.judges.price import prices
from persona_paradox.names import THOUGHTS
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

SAID = pl.DataFrame(
    [
        {"item_id": "a", "variant": "main", "repeat": 0, "text": "Yes.", "thought": "Hm, no."},
        {"item_id": "b", "variant": "main", "repeat": 0, "text": "No.", "thought": " "},
        {"item_id": "c", "variant": "main", "repeat": 0, "text": None, "thought": None},
        {"item_id": "null:1", "variant": "main", "repeat": 0, "text": "?", "thought": "What?"},
    ],
    schema=RESPONSES,
)
PROMPTS = SAID.select("item_id", "variant", system=pl.lit(""), persona=pl.lit("")).with_columns(
    user=pl.col("item_id") + "?"
)
ASKED = {
    "instruction": "Judge.",
    "user": "{question} {answer}",
    "questions": {"calm": "Is it calm, 1 to 5?"},
}
INNER = {
    "title": "A judge of thoughts",
    "model": "smollm2_135m_instruct",
    "reads": "thoughts",
    "own_family": True,
    "instruction": "Judge the thought.",
    "user": "{question}\n\n{answer}",
    "ratings": [{"id": "calm", "title": "Calm", "better": "high", "question": "1 to 5?"}],
}


def test_an_answer_is_judged_without_its_thought() -> None:
    answers = questioned(SAID, PROMPTS)
    assert answers["text"].to_list() == ["Yes.", "No.", None]
    assert not rating_chats(answers, ASKED)["user"].str.contains("Hm").any()


def test_a_thought_is_judged_apart() -> None:
    thoughts = questioned(SAID, PROMPTS, THOUGHTS)
    assert thoughts["text"].to_list() == ["Hm, no.", " ", None]
    # One that says nothing is not shown to a judge.
    assert rating_chats(thoughts, ASKED)["user"].to_list() == ["a? Hm, no.\n\nIs it calm, 1 to 5?"]


def study(tmp_path: Path, judge: dict[str, Any], think: bool = True, most: int = 9) -> Study:
    """The default study with a judge more, whose model thinks."""
    config = tmp_path / "config"
    for folder in (ROOT / "config").iterdir():
        if folder.is_dir():
            (config / folder.name).mkdir(parents=True)
            for file in folder.iterdir():
                (config / folder.name / file.name).write_bytes(file.read_bytes())
    (config / "judges/inner.yaml").write_text(yaml.safe_dump(judge))
    model = config / "models/smollm2_135m_instruct.yaml"
    content = yaml.safe_load(model.read_text())
    content["thinking"] = {"think": think, "max_tokens": most}
    content["thinking"] |= {"open": "<think>", "close": "</think>"}
    model.write_text(yaml.safe_dump(content))
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= {"models": ["smollm2_135m_instruct"], "judges": ["inner", "smollm2_safety"]}
    return load_study(settings, config, check_schema)


def test_it_reads_the_thoughts_of_every_task(tmp_path: Path) -> None:
    found = study(tmp_path, INNER)
    assert {cell.task for cell in found.judged_cells("inner")} == {*found.tasks}
    assert {cell.task for cell in found.judged_cells("smollm2_safety")} == {"safety_teaching_short"}
    written = dict(views(found))
    assert written["judges/inner"]["reads"] == THOUGHTS
    assert "reads" not in written["judges/smollm2_safety"]
    assert {*written["judged_figures"]["judged_tasks"]} == {*found.tasks}


def test_its_price_is_that_of_the_longest_thoughts(tmp_path: Path) -> None:
    short, long = (
        prices(study(tmp_path / str(most), INNER, most=most), ROOT, tmp_path)["inner"]
        for most in (10, 110)
    )
    assert sum(short.chats.values()) == sum(long.chats.values())
    # One question on each of as many thoughts, each of 100 tokens more.
    n = short.chats["on answers"]
    assert long.prompt_tokens - short.prompt_tokens == pytest.approx(100 * n)


def test_without_a_model_that_thinks_it_has_nothing_to_read(tmp_path: Path) -> None:
    assert study(tmp_path, INNER, think=False).active_judges == ["smollm2_safety"]


def test_what_a_thought_does_is_no_action(tmp_path: Path) -> None:
    asked = INNER | {"action": {"question": "1, 2 or 3?"}}
    with pytest.raises(Exception, match="`action` is for judges of"):
        study(tmp_path, asked)
