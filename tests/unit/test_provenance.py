"""What is written down of a configuration leads back to the same study."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from persona_paradox.files import canonical_json
from persona_paradox.schema import check_schema
from persona_paradox.study.inventory import study_files
from persona_paradox.study.load import load_study
from persona_paradox.study.provenance import configuration, git_state, study_of
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = {"type": "object", "properties": {"why": {"type": "string"}, "level": {"enum": [1, 2]}}}


def study(config: dict[str, Any]) -> Study:
    default = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    one = {"models": ["smollm2_135m_instruct"]}
    return load_study(default | one | config, ROOT / "config", check_schema)


def test_a_study_is_read_back_from_its_configuration() -> None:
    tasks = ["triage_semigran_rationale", "triage_ktas", "safety_teaching"]
    judges = ["smollm2_safety", "smollm2_rationale"]
    made = study({"tasks": tasks, "judges": judges, "data_dir": "/somewhere/of/mine"})
    # The order of its keys is that of the answers.
    made.tasks["triage_ktas"]["decoding"]["json_schema"] = SCHEMA
    text = canonical_json(configuration(made))
    assert "/somewhere/of/mine" not in text
    found = study_of(json.loads(text))
    assert dict(views(found)) == dict(views(made))
    assert study_files(found) == study_files(made)
    kept = found.tasks["triage_ktas"]["decoding"]["json_schema"]
    assert list(kept["properties"]) == ["why", "level"]
    # What it writes down is its own: the study stays as it was.
    assert made.tasks["triage_ktas"]["decoding"]["json_schema"] == SCHEMA


def test_the_items_of_a_set_under_a_licence_without_redistribution_are_no_file_of_it() -> None:
    names = {name for name, _ in study_files(study({"tasks": ["triage_semigran", "triage_ktas"]}))}
    assert "resources/datasets/ktas.parquet" in names
    assert "resources/datasets/semigran.parquet" not in names
    assert "resources/datasets/semigran.manifest.json" in names


def test_a_folder_inside_of_a_clone_is_not_the_clone() -> None:
    assert git_state(ROOT / "workflow") == {"commit": None, "date": None, "dirty": None}


def test_a_new_file_is_a_difference_whatever_the_settings_of_git(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    for key, value in (("user.name", "A"), ("user.email", "a@example.org")):
        git("config", key, value)
    git("config", "status.showUntrackedFiles", "no")
    git("commit", "-q", "--allow-empty", "-m", "First")
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "new.py").touch()
    assert git_state(tmp_path)["dirty"] is True
