"""Key `placement` of a task: what it changes of a study's views, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from root import ROOT

from persona_paradox.errors import InputError
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.views import views

TASK = "config/tasks/triage_ed.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path


def placed(project: Path, **change: Any) -> dict[str, Any]:
    """The views of the default study, with a task changed."""
    path = project / TASK
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change, sort_keys=False))
    settings = yaml.safe_load((project / "config/config.yaml").read_text())
    return dict(views(load_study(settings, project / "config", check_schema)))


def test_only_prompts_of_a_task_that_sets_it_depend_on_it(project: Path) -> None:
    before = placed(project)
    assert not [name for name in before if "placement" in before[name]]
    assert placed(project, placement="system") == before
    after = placed(project, placement="user")
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"prompts/triage_ed"}
    assert after["prompts/triage_ed"] == before["prompts/triage_ed"] | {"placement": "user"}


def test_the_words_of_the_user_must_not_hold_a_persona_that_leads_them(project: Path) -> None:
    sentence = "You are an Emergency Department Nurse."
    user = f"{sentence} {{case}}"
    assert placed(project, user=user)
    with pytest.raises(InputError) as told:
        placed(project, user=user, placement="user")
    for word in (TASK, "`user`", "'ed_nurse'", "config/personas/ed_nurse.yaml", "once"):
        assert word in str(told.value)
