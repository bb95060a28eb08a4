"""A small project whose adapter is trained in cycles on judged answers, by a stand-in."""

from __future__ import annotations

from pathlib import Path

import yaml
from project import STUDY, Project, add_model, new_project
from stub_training import add_trained, keep_for_training, stub_training

DATASET = "config/datasets/teaching_cares.yaml"
TASK = "cares_teaching_short"
ASKED = {"task": TASK, "personas": ["no_persona"], "judge": "cares_published", "rule": "cares"}


def cycle_study(
    path: Path,
    *,
    judge: str,
    stop: dict[str, object],
    cycles: int = 1,
    methods: tuple[str, ...] = ("kto",),
    shares: tuple[float, float] = (0.1, 0.1),
) -> Project:
    """Nothing has run.

    Args:
        path: folder of the project.
        judge: id of the model that judges.
        stop: when no candidate goes on.
        cycles: how many; the study asks the last one.
        methods: of the candidates.
        shares: of the items that are kept for training, and for validation.
    """
    project = new_project(path)
    add_model(project)
    models = ["tiny", f"tiny@aligned_{cycles}"]
    study = STUDY | {"models": models, "tasks": [TASK], "figures": []}
    (path / "config/config.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    keep_for_training(project, "teaching_cares", shares[0])
    project.edit(DATASET, lambda spec: spec["training"].update(validation=shares[1]))
    project.edit("config/judges/cares_published.yaml", lambda spec: spec.update(model=judge))
    sampled = {"answers": 2, "wordings": "main"}
    project.edit(
        f"config/tasks/{TASK}.yaml",
        lambda task: task["decoding"].update(max_tokens=6, sampled=sampled),
    )
    keys = {"method": [*methods], "cycles": cycles, "validation": ASKED | {"stop": stop}}
    add_trained(project, "aligned", [{"answers": ASKED}], **keys)
    stub_training(project)
    return project
