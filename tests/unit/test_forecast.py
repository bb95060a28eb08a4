"""What a study would take, as `check_study.py` tells it: counted by hand, and read from logs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import Project, copy_project
from root import ROOT

from persona_paradox.planning.forecast import forecast
from persona_paradox.planning.speeds import (
    MEASURED_BYTES,
    Tokens,
    seconds,
    seconds_on_a_card,
    slower_here,
)
from persona_paradox.planning.told import _gb
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as it comes; nothing has run."""
    return copy_project(tmp_path_factory.mktemp("forecast") / "project")


def told(project: Project, study: str = "config/config.yaml", **environment: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERSONA_")}
    done = subprocess.run(
        [sys.executable, "workflow/scripts/check_study.py", study],
        cwd=project.path,
        env=env | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def numbers(text: str, pattern: str) -> list[int]:
    """The numbers of the one place that a pattern with groups finds."""
    (found,) = re.findall(pattern, text)
    return [int(one.replace(",", "")) for one in ([found] if isinstance(found, str) else found)]


def test_cells_items_and_answers_are_counted(project: Project) -> None:
    said = told(project)
    study = yaml.safe_load((project.path / "config/config.yaml").read_text())
    n_personas = len(study["personas"])
    n_models, n_tasks = len(study["models"]), len(study["tasks"])
    cells = f"{n_models * n_tasks * n_personas} cells, of which 0"
    assert f"{n_tasks} tasks × {n_personas} personas, wordings main: {cells}" in said
    answers = 0
    for task in study["tasks"]:
        spec = yaml.safe_load((project.path / f"config/tasks/{task}.yaml").read_text())
        cases = pl.read_csv(project.path / f"resources/bundled/{spec['dataset']}.csv")
        n = study["limits"].get(task, cases.height)
        assert f"task {task}: {n} items" in said
        drawn = spec["decoding"].get("sampled", {}).get("answers", 0)
        # Of a triage task three cases without content besides, by default.
        answers += n_personas * (n * (1 + drawn) + (3 if spec["kind"] == "triage" else 0))
    judged = numbers(said, r"judge smollm2_safety: at most ([\d,]+) chats")
    found = re.findall(r"at most ([\d,]+) answers", said)
    told_of = [int(one.replace(",", "")) for one in found]
    # The judge is the first of the models.
    assert told_of == [answers + sum(judged), *[answers] * (n_models - 1)]
    assert "licences of models and adapters: smollm2_135m_instruct Apache-2.0" in said
    # An adapter brings no weights of its own.
    assert "GB for the weights of smollm2_135m_instruct;" in said
    assert "to be brought over the network: smollm2_135m_instruct (pypi)" in said


def test_tokens_of_prompts_that_are_shared_count_once(project: Project) -> None:
    """Of a case its own text is read; the persona's and the instruction's once for all of them."""
    config = project.path / "config"
    read = {}
    for limit in (10, 20):
        settings = yaml.safe_load((config / "config.yaml").read_text())
        settings |= {"judges": [], "tasks": ["triage_ed"], "limit": limit}
        study = load_study(settings, config, check_schema)
        found = forecast(study, project.path, project.path / "resources")
        read[limit] = found.models["smollm2_135m_instruct"].tokens.read
        task = study.tasks["triage_ed"]
    sentences = [persona["texts"]["main"] for persona in study.personas.values()]
    shared = sum(len(text) + len(task["instruction"]) for text in sentences) / 4
    assert 2 * read[10] - read[20] == pytest.approx(shared)
    cases = pl.read_csv(project.path / "resources/bundled/teaching_ed.csv")["case"]
    own = cases.str.len_chars().mean() + len(task["user"]) + len(task["answer_prefix"])
    assert read[20] - read[10] == pytest.approx(10 * len(sentences) * own / 4)


def test_terms_and_what_is_missing_are_told(project: Project, tmp_path: Path) -> None:
    said = told(project, "config/studies/paper.yaml")
    assert "semigran CC-BY-NC-4.0 (texts may not be passed on)" in said
    assert "not for commercial use: semigran" in said
    assert "ktas CC-BY-4.0," in said
    missing = re.findall(r"missing: (config/datasets/\w+\.yaml): key `source.path` needs", said)
    assert missing == ["config/datasets/ktas.yaml", "config/datasets/semigran.yaml"]
    assert "not counted: the items of ktas, semigran" in said
    # 8 billion parameters in 4 bits; published files of this model have 4.92 GB.
    assert "model llama_3_1_8b_instruct: its answers are not counted; " in said
    assert re.search("time here: .*; without what is not counted$", said, re.MULTILINE)
    assert "time on a card" not in said
    (project.path / "config/studies/large.yaml").write_text("models: [llama_3_1_8b_instruct]\n")
    assert "no card was measured" in told(project, "config/studies/large.yaml")
    assert "weights of about 4.9 GB (by its title, an assumption)" in said
    # A folder without them: each is named with its place.
    said = told(project, "config/studies/paper.yaml", PERSONA_DATA_DIR=str(tmp_path))
    assert f"key `source.path` names {tmp_path}/ktas1267/data_raw_cp.csv, which does not" in said


def test_speed_here_is_that_of_cells_that_ran_here(project: Project) -> None:
    study = "config/studies/one.yaml"
    (project.path / study).write_text("models: [smollm2_135m_instruct]\n")
    before = told(project, study)
    assert "measured: SmolLM2 135M on two processors" in before
    logs = project.path / "logs/generate/smollm2_135m_instruct/triage_ed"
    logs.mkdir(parents=True)
    (takes,) = numbers(before, r"time here: about (\d+) minutes")
    size, tokens = 0.27e9, Tokens(30_000, 500)
    lasts = 20 * seconds(tokens, size)
    (logs / "ed_nurse.log").write_text(
        f"x: 30000 prompt tokens and 500 answer tokens computed in {lasts:.1f} s\n"
        "x: 3 prompt tokens and 1 answer tokens computed in 900.0 s\n"
    )
    said = told(project, study)
    assert "measured: 1 cells of smollm2_135m_instruct that ran here;" in said
    (programs,) = numbers(said, r"(\d+) minutes? of it for programs")
    (after,) = numbers(said, r"time here: about (\d+) (?:minutes?|hours)")
    after *= 60 if "hours on" in said else 1
    assert after - programs == pytest.approx(20 * (takes - programs), rel=0.25)


def test_times_are_in_proportion_to_weights_and_tokens() -> None:
    some = Tokens(1000, 100)
    assert seconds(some.times(3), 2e9) == pytest.approx(3 * seconds(some, 2e9))
    assert seconds(some, 2 * MEASURED_BYTES) == pytest.approx(2 * seconds(some, MEASURED_BYTES))
    # Of benchmarks/README.md, in jobs of one thread on two processors: 180 prompts with 22,544
    # distinct tokens at 8.01 a second; 2,048 tokens of free text, behind 2,495, at 181 a second.
    # The machine was busy, and tokens are not alike: within a third.
    assert seconds(Tokens(22_544), MEASURED_BYTES) / 2 == pytest.approx(180 / 8.01, rel=0.33)
    assert seconds(Tokens(2495, 2048), MEASURED_BYTES) / 2 == pytest.approx(2048 / 181, rel=0.33)
    # Of the worked estimate of docs/scaling.md: 930 hours of one card.
    assert seconds_on_a_card(Tokens(6.0e9, 0.11e9), 5e9) / 3600 == pytest.approx(930, rel=0.02)
    assert slower_here([], 1e9) is None


def test_every_bundled_study_is_told_its_time(project: Project, data_dir: Path) -> None:
    studies = sorted(str(path) for path in Path("config/studies").glob("*.yaml"))
    env = os.environ | {"PERSONA_DATA_DIR": str(data_dir)}
    done = subprocess.run(
        [sys.executable, "workflow/scripts/check_study.py", *studies],
        cwd=project.path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told_of = {line.partition(":")[0] for line in done.stderr.splitlines() if "time here" in line}
    assert told_of == {*studies}


def test_a_study_elsewhere_or_nowhere_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("models: [nope]\n")
    said = {}
    for name in ("own.yaml", "none.yaml"):
        command = [sys.executable, str(ROOT / "workflow/scripts/check_study.py"), name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        said[name] = done.stderr.splitlines()
    assert said["own.yaml"][0] == "own.yaml is plain YAML"
    assert "has no config/config.yaml, so that nothing else is said; start" in said["own.yaml"][1]
    assert said["none.yaml"] == ["error: none.yaml does not exist; name the file of a study"]


def test_what_is_read_of_the_stream_is_read_once_more() -> None:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | {
        **{"tasks": ["triage_ed_once"], "models": ["smollm2_135m_instruct"], "judges": []},
        **{"limits": {}, "personas": ["no_persona", "ed_nurse", "ed_physician"]},
    }
    asked = {"readings": {"tasks": ["triage_ed_once"], "roles": ["paper"]}}
    plain, read = (
        forecast(load_study(settings | more, ROOT / "config", check_schema), ROOT, ROOT)
        for more in ({}, asked)
    )
    before, after = (one.models["smollm2_135m_instruct"] for one in (plain, read))
    assert (after.answers, after.tokens.written) == (before.answers, before.tokens.written)
    assert after.tokens.read == pytest.approx(2 * before.tokens.read + before.tokens.written)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (3 * 10**6, "3 MB"),
        (0.27 * 10**9, "0.27 GB"),
        (43 * 10**9, "43 GB"),
        (99.6 * 10**9, "100 GB"),
        (184 * 10**9, "180 GB"),
        (1.26 * 10**12, "1,300 GB"),
    ],
)
def test_room_is_told_without_powers_of_ten(size: float, text: str) -> None:
    assert _gb(size) == text
