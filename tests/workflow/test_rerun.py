"""What runs again after each kind of edit: the jobs of a dry run, compared exactly."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from project import STUDY, Project, add_model, new_project
from statistics_study import statistics_study

from persona_paradox.figures.catalogue import figures

TASKS = ("triage_ed", "triage_primary")
PERSONAS = ("no_persona", "ed_nurse", "bridge_engineer")
PLOTS = [f"plot {figure}" for figure in STUDY["figures"]]
WORDS_AND_PLOTS = [*PLOTS, "summarize"]
TABULATED = ["tabulate", *WORDS_AND_PLOTS]
TABLES_AND_PLOTS = ["decompose", *TABULATED]
MODEL_STAGES = ("deliver", "generate", "score", "calibrate")


def cells(stage: str, models=("tiny",), tasks=TASKS, personas=PERSONAS) -> list[str]:
    return [f"{stage} {m}/{t}/{p}" for m in models for t in tasks for p in personas]


def whole_cells(personas: tuple[str, ...]) -> list[str]:
    """Every job of some personas' cells."""
    prompts = [f"write_prompts {task}/{persona}" for task in TASKS for persona in personas]
    return prompts + [job for stage in MODEL_STAGES for job in cells(stage, personas=personas)]


def measured(models=("tiny",), tasks=TASKS) -> list[str]:
    return [f"measure_triage {model}/{task}" for model in models for task in tasks]


def tables_and_plots(**places) -> list[str]:
    """What follows from scores that changed."""
    return [*measured(**places), *TABLES_AND_PLOTS]


def everything_after(**places) -> list[str]:
    """What follows from prompts that changed."""
    return ["tabulate_delivery", *tables_and_plots(**places)]


def add_paraphrase(persona: dict) -> None:
    persona["texts"]["paraphrase_3"] = "Someone who nurses in an ED speaks."


def edit_code(project: Project, file: str) -> None:
    path = project.path / "workflow" / file
    path.write_text(path.read_text() + "\n# edited\n")


def test_text_of_one_persona(finished: Project) -> None:
    finished.replace("config/personas/ed_nurse.yaml", "Department Nurse", "Department Head Nurse")
    assert finished.jobs() == sorted(whole_cells(("ed_nurse",)) + everything_after())


def test_title_of_one_persona(finished: Project) -> None:
    finished.replace("config/personas/ed_nurse.yaml", "title: ED nurse", "title: Nurse in the ED")
    assert finished.jobs() == WORDS_AND_PLOTS


def _reverse_keys(value: dict) -> None:
    for key in reversed(list(value)):
        value[key] = value.pop(key)


def test_nothing_to_do(finished: Project) -> None:
    """Whatever the times of files, the order of keys, and comments."""
    for file in ("personas/ed_nurse", "tasks/triage_ed", "models/tiny", "datasets/teaching_ed"):
        finished.edit(f"config/{file}.yaml", _reverse_keys)
    for file in ("personas/ed_nurse", "tasks/triage_ed", "models/tiny", "config"):
        path = finished.path / "config" / f"{file}.yaml"
        path.write_text("# a comment\n" + path.read_text() + "# and another\n")
    later = time.time() + 10
    for where in ("config", "workflow", "resources/bundled", "Snakefile"):
        path = finished.path / where
        for file in [path] if path.is_file() else path.rglob("*"):
            os.utime(file, (later, later))
    assert finished.all_jobs() == []


def test_fresh_clone_with_results_carried_over(finished: Project, tmp_path: Path) -> None:
    clone = new_project(tmp_path / "clone")
    for part in ("results", "resources", ".snakemake"):
        # Without the times of the files, as an archive or a web download leaves them.
        shutil.copytree(
            finished.path / part, clone.path / part, dirs_exist_ok=True, copy_function=shutil.copy
        )
    shutil.copy(finished.path / "config/config.yaml", clone.path / "config/config.yaml")
    shutil.copy(finished.path / "config/models/tiny.yaml", clone.path / "config/models/tiny.yaml")
    later = time.time() + 10
    for file in (clone.path / "config").rglob("*"):
        os.utime(file, (later, later))
    assert clone.all_jobs() == []


def test_lost_snakemake_folder(finished: Project) -> None:
    shutil.rmtree(finished.path / ".snakemake")
    assert finished.all_jobs() == []
    finished.replace("config/personas/ed_nurse.yaml", "Department Nurse", "Department Head Nurse")
    assert finished.jobs() == sorted(whole_cells(("ed_nurse",)) + everything_after())


def test_plot_code(finished: Project) -> None:
    edit_code(finished, "scripts/plot.py")
    assert finished.jobs() == PLOTS


def test_code_of_one_figure(finished: Project) -> None:
    edit_code(finished, "persona_paradox/kinds/labelled/figures/persona_effect.py")
    assert finished.jobs() == ["plot persona_effect"]


def test_a_table_of_one_figure(finished: Project) -> None:
    table = finished.path / "results/tables/contrasts.parquet"
    table.write_bytes(table.read_bytes() + b" ")
    assert [job for job in finished.jobs() if job in PLOTS] == ["plot persona_effect"]


def test_library_module_of_calibrate_alone(finished: Project) -> None:
    edit_code(finished, "persona_paradox/measures/calibration.py")
    assert finished.jobs() == sorted([*cells("calibrate"), *measured(), *TABULATED])


def test_what_the_study_does_not_use(finished: Project) -> None:
    """A wording besides the main one, and the code that asks servers."""
    finished.edit("config/personas/ed_nurse.yaml", add_paraphrase)
    edit_code(finished, "persona_paradox/engine/server.py")
    assert finished.jobs() == []


def test_paraphrases_that_the_study_takes_in(finished: Project) -> None:
    finished.edit("config/config.yaml", lambda study: study.update(variants="all"))
    with_paraphrases = ("ed_nurse", "bridge_engineer")
    assert finished.jobs() == sorted(whole_cells(with_paraphrases) + everything_after())


def test_new_paraphrase_in_a_study_of_all_wordings(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    project = statistics_study(tmp_path_factory).copy(tmp_path / "project")
    project.edit("config/personas/ed_nurse.yaml", add_paraphrase)
    after = ["tabulate_delivery", *measured(), "tabulate", "decompose", "summarize"]
    after += [f"recalibrate tiny/{task}" for task in TASKS]
    shown = [
        id_
        for id_, figure in figures().items()
        if figure.kind in ("labelled", "triage") and figure.only_with is None
    ]
    after += [f"plot {id_}" for id_ in shown]
    after += [f"specify {id_}" for id_ in shown if figures()[id_].in_page]
    assert project.jobs() == sorted(whole_cells(("ed_nurse",)) + after)


def test_new_model(finished: Project) -> None:
    add_model(finished, "other", seed=5)
    finished.edit("config/config.yaml", lambda study: study["models"].append("other"))
    new = [job for stage in MODEL_STAGES for job in cells(stage, models=("other",))]
    download = ["download_model other", "prepare_model other"]
    assert finished.jobs() == sorted(download + new + everything_after(models=("other",)))


def test_removed_persona_leaves_the_tables(finished: Project) -> None:
    finished.edit("config/config.yaml", lambda study: study["personas"].remove("ed_nurse"))
    assert finished.jobs() == sorted(everything_after())
    assert "ed_nurse" in (finished.path / "results/tables/cells.csv").read_text()
    finished.run("--cores", "1", "results/tables/cells.csv")
    assert "ed_nurse" not in (finished.path / "results/tables/cells.csv").read_text()
    assert "ed_nurse" not in (finished.path / "results/tables/contrasts.csv").read_text()


def test_one_deleted_figure(finished: Project) -> None:
    (finished.path / "results/figures/triage_accuracy.pdf").unlink()
    assert finished.jobs() == ["plot triage_accuracy"]


def test_decoding_of_one_task(finished: Project) -> None:
    """Prompts stay as they are, but are measured anew; answers and what hangs on them do not."""
    finished.edit("config/tasks/triage_ed.yaml", lambda t: t["decoding"].update(max_tokens=9))
    changed = [job for stage in MODEL_STAGES for job in cells(stage, tasks=("triage_ed",))]
    assert finished.jobs() == sorted(changed + everything_after(tasks=("triage_ed",)))


def test_cost_matrix_reruns_tables_only(finished: Project) -> None:
    finished.edit("config/datasets/teaching_ed.yaml", lambda d: d.update(cost={"under": 5}))
    assert finished.jobs() == sorted(tables_and_plots(tasks=("triage_ed",)))


@pytest.mark.parametrize(
    "change",
    [
        {"margins": {"accuracy": 0.1}},
        {"family": {"metrics": ["accuracy", "cost"]}},
        {"interval": "bca"},
        {"power": 0.9},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_tested_reruns_tables_only(finished: Project, change: dict) -> None:
    finished.edit("config/config.yaml", lambda study: study["statistics"].update(change))
    assert finished.jobs() == sorted(tables_and_plots())


def test_where_figures_say_too_few_reruns_words_and_plots_only(finished: Project) -> None:
    finished.edit("config/config.yaml", lambda study: study["statistics"].update(too_few_below=3))
    assert finished.jobs() == WORDS_AND_PLOTS


def test_subgroups_rerun_tables_only(finished: Project) -> None:
    finished.edit("config/datasets/teaching_ed.yaml", lambda d: d.update(subgroups=[]))
    assert finished.jobs() == sorted(everything_after(tasks=("triage_ed",)))


def test_another_subgroup_is_checked_and_reruns_tables_only(finished: Project) -> None:
    group = {"id": "complaint", "title": "Complaint", "column": "complaint"}
    finished.edit("config/datasets/teaching_ed.yaml", lambda d: d["subgroups"].append(group))
    assert finished.jobs() == sorted(
        ["check_groups teaching_ed", *everything_after(tasks=("triage_ed",))]
    )


def test_clusters_rerun_scores_and_what_follows(finished: Project) -> None:
    def declare(dataset: dict) -> None:
        dataset["columns"]["cluster"] = "complaint"

    finished.edit("config/datasets/teaching_ed.yaml", declare)
    changed = [job for s in ("score", "calibrate") for job in cells(s, tasks=("triage_ed",))]
    assert finished.jobs() == sorted(changed + tables_and_plots(tasks=("triage_ed",)))


def test_recalibrations_are_jobs_of_their_own(finished: Project) -> None:
    finished.edit("config/config.yaml", lambda study: study["statistics"].update(folds=3))
    assert finished.jobs() == [], "nothing is recalibrated"
    finished.edit("config/config.yaml", lambda study: study.update(recalibrations=["isotonic"]))
    jobs = [f"recalibrate tiny/{task}" for task in TASKS]
    assert finished.jobs() == sorted([*jobs, *measured(), *TABULATED])
    finished.run("--cores", "1", "results/tables/calibration.csv")
    finished.edit("config/config.yaml", lambda study: study["statistics"].update(folds=4))
    assert finished.jobs() == sorted([*jobs, *measured(), *TABULATED])
    finished.edit("config/config.yaml", lambda study: study["statistics"].update(folds=3))
    # Those of a model and task are fitted together.
    finished.edit("config/tasks/triage_ed.yaml", lambda t: t["decoding"].update(max_tokens=9))
    changed = [job for stage in MODEL_STAGES for job in cells(stage, tasks=("triage_ed",))]
    assert finished.jobs() == sorted([*changed, jobs[0], *everything_after(tasks=("triage_ed",))])


def test_fewer_tables_and_figures_rerun_words_only(finished: Project) -> None:
    fewer = {"tables": ["cells"], "figures": ["triage_accuracy"]}
    finished.edit("config/config.yaml", lambda study: study.update(fewer))
    assert finished.jobs() == ["summarize"]


def test_one_figure_by_itself(project: Project) -> None:
    project.edit("config/config.yaml", lambda study: study.update(figures=[], tables=[]))
    jobs = project.jobs("results/figures/triage_accuracy.pdf")
    assert [job for job in jobs if job.startswith("plot")] == ["plot triage_accuracy"]
    assert "tabulate" in jobs
    assert "decompose" not in jobs, "what no figure needs"
    assert [job for job in jobs if job.startswith("generate")] == sorted(cells("generate"))


def test_one_file_of_one_cell(project: Project) -> None:
    assert project.jobs("results/scores/tiny/triage_ed/ed_nurse.parquet") == sorted(
        [
            "download_dataset teaching_ed",
            "download_model tiny",
            "prepare_model tiny",
            "write_prompts triage_ed/ed_nurse",
            "deliver tiny/triage_ed/ed_nurse",
            "generate tiny/triage_ed/ed_nurse",
            "score tiny/triage_ed/ed_nurse",
        ]
    )


def test_a_dry_run_of_another_study_leaves_the_views_of_this_one(finished: Project) -> None:
    views = {p.name: p.read_bytes() for p in (finished.path / "results/config").rglob("*.json")}
    finished.edit("config/config.yaml", lambda study: study.update(variants="all", limit=3))
    finished.jobs()
    after = {p.name: p.read_bytes() for p in (finished.path / "results/config").rglob("*.json")}
    assert views.items() < after.items()
