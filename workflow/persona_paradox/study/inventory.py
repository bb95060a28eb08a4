"""What a study consists of: the names of its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..names import WHEN
from .judge_checks import checks_of
from .readings import read_cells, read_models, steered
from .rounds import rounds_of
from .rubrics import read_by_judges, rubric_cells
from .sources import used_adapters
from .study import Study
from .training import FOLDER, is_trained

# The code, without which nothing of a study could be made again.
CODE = ("Snakefile", "environment.yml", "LICENSE", "CITATION.cff", "profiles", "workflow")

# Names that any file system takes as they are.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_MOST_NAME, _MOST_PART = 500, 200

# Where a configuration file may name files, and what the workflow writes there: a file of somebody
# else's archive must never take the place of code, weights or items.
_NAMED_IN = ("resources/", "config/")
_WRITTEN = ("resources/models/", "resources/datasets/", "resources/adapters/")


@dataclass(frozen=True)
class Step:
    """A step of an answer.

    Attributes:
        stage: folder of what is answered.
        delivered: folder of what it answers.
        decoding: the view that says how.
    """

    stage: str
    delivered: str
    decoding: str


def steps(study: Study, model: str, task: str) -> list[Step]:
    """The steps in which a model answers a task: a thought, a reasoning, an answer.

    More than one are put together in `results/responses`.
    """
    found = []
    if thinks := model in study.thinking_models:
        found.append(Step("thoughts", "delivered", f"thoughts/{model}/{task}"))
    if study.reasons(task):
        read = "reasonings_delivered" if thinks else "delivered"
        found.append(Step("reasonings", read, f"decoding/{task}"))
        found.append(Step("conclusions", "conclusions_delivered", f"conclusion_decoding/{task}"))
    elif thinks:
        found.append(Step("answers", "answers_delivered", f"decoding/{task}"))
    else:
        found.append(Step("responses", "delivered", f"decoding/{task}"))
    return found


def first_step(study: Study, model: str, task: str) -> Step:
    """The step that answers the delivered prompts."""
    return steps(study, model, task)[0]


@dataclass(frozen=True)
class Answered:
    """A file of answers of a model or a judge.

    Attributes:
        path: the answers.
        delivered: what they answer, as the model reads it.
        decoding: the view that says how.
        model: id of the model that answers.
        task: whose texts are in it; None for those that test a judge.
        first: whether what is asked holds no answer of a model.
    """

    path: str
    delivered: str
    decoding: str
    model: str
    task: str | None
    first: bool


def answered(study: Study) -> Iterator[Answered]:
    """Every file of answers that a study rests on."""

    def of(cell: Any, step: Step, first: bool) -> Answered:
        path, read = (f"results/{one}/{cell.path}.parquet" for one in (step.stage, step.delivered))
        return Answered(path, read, step.decoding, cell.model, cell.task, first)

    for cell in study.asked_cells:
        first, *later = steps(study, cell.model, cell.task)
        yield of(cell, first, cell.task not in study.before)
        if cell.task in study.verbalized_tasks:
            later.append(Step("statements", "second_turns", f"verbalized_decoding/{cell.task}"))
        if cell.task in study.identified_tasks:
            for when in WHEN:
                decoding = "identification_decoding"
                later.append(Step(f"named_{when}", f"asked_{when}", decoding))
        for step in later:
            yield of(cell, step, False)
    for judge in study.active_judges:
        for what, task in _asked(study, judge):
            yield Answered(
                f"results/verdicts/{judge}/{what}.parquet",
                f"results/judging/{judge}/{what}.parquet",
                f"judge_decoding/{judge}",
                study.judges[judge]["model"],
                task,
                False,
            )


def _asked(study: Study, judge: str) -> Iterator[tuple[str, str | None]]:
    """What a judge is asked about, as the end of a path, and the task."""
    yield from (("checks/ratings", None), ("checks/pairs", None))
    if checks_criteria(study, judge):
        yield "checks/criteria", None
    for cell in (*study.judged_cells(judge), *rounds_of(study, judge)):
        yield f"ratings/{cell.path}", cell.task
    for cell in rubric_cells(study, judge):
        yield f"criteria/{cell.path}", cell.task
    for model, task in _places(study, judge):
        if ranks(study, judge):
            for first, second in study.ranked_pairs:
                yield f"pairs/{model}/{task}/{first}.vs.{second}", task
        if lists(study, judge):
            yield f"list/{model}/{task}/all", task


def _places(study: Study, judge: str) -> list[tuple[str, str]]:
    return sorted({(cell.model, cell.task) for cell in study.judged_cells(judge)})


def checks_criteria(study: Study, judge: str) -> bool:
    """Whether there are answers of which it is known what criterion they meet."""
    criteria = study.judges[judge]["criteria"]
    return criteria is not None and criteria["sanity"] is not None


def ranks(study: Study, judge: str) -> bool:
    """Whether a judge compares pairs of answers."""
    return study.judges[judge]["pairs"] is not None and len(study.ranked) > 1


def lists(study: Study, judge: str) -> bool:
    """Whether a judge sees several answers side by side."""
    listwise: bool = study.settings["rankings"]["listwise"]
    return study.judges[judge]["list"] is not None and listwise and len(study.ranked) > 1


def derived(study: Study) -> Iterator[tuple[str, str | None]]:
    """Every file of a cell that is made of answers, and its task; see `answered`."""
    for cell in study.asked_cells:
        yield f"results/delivered/{cell.path}.parquet", cell.task
        if cell.task in study.before:
            yield f"results/turns/{cell.path}.parquet", cell.task
        if len(steps(study, cell.model, cell.task)) > 1:
            yield f"results/responses/{cell.path}.parquet", cell.task
    for cell in study.cells:
        if cell.task in study.verbalized_tasks:
            yield f"results/verbalized/{cell.path}.parquet", cell.task
        if cell.task in study.calibrated_tasks:
            yield f"results/calibration/{cell.path}.parquet", cell.task
    for cell in (*study.cells_having("scoring"), *rounds_of(study, None)):
        yield f"results/scores/{cell.path}.parquet", cell.task
    for task in study.calibrated_tasks if study.settings["recalibrations"] else ():
        for model in study.models:
            yield f"results/recalibration/{model}/{task}.parquet", task
    for cell in study.rater_cells:
        yield f"results/responses/{cell.path}.parquet", cell.task
        yield f"results/scores/{cell.path}.parquet", cell.task
    for task in prompted(study):
        for persona in study.personas:
            yield f"results/prompts/{task}/{persona}.parquet", task
    named = [cell for cell in study.cells if cell.task in study.identified_tasks]
    yield from ((f"results/identified/{cell.path}.parquet", cell.task) for cell in named)
    yield from _judged(study)


def sampled_cells(study: Study) -> set[Any]:
    """The cells whose answers judges and clinicians read."""
    judged = (
        cell
        for judge in study.active_judges
        for cell in (*study.judged_cells(judge), *rounds_of(study, judge))
    )
    return {*judged, *(study.shown_cells if study.forms else ())}


def sampled(cell: Any, study: Study) -> str:
    """The file of the answers of a cell that judges read."""
    return f"{read_by_judges(study)}/{cell.path}.parquet"


def prompted(study: Study) -> list[str]:
    """Ids of the tasks, and of first rounds, whose prompts are made without an answer."""
    return [id_ for id_ in study.asked_tasks if id_ not in study.before]


def _judged(study: Study) -> Iterator[tuple[str, str | None]]:
    if study.settings["judge_sample"] is not None:
        yield from sorted({(sampled(c, study), c.task) for c in sampled_cells(study)})
    for judge in study.active_judges:
        for form in ("ratings", "pairs", *(["criteria"] if checks_criteria(study, judge) else [])):
            yield f"results/checks/{judge}/{form}.parquet", None
        for cell in (*study.judged_cells(judge), *rounds_of(study, judge)):
            yield f"results/judgements/{judge}/{cell.path}.parquet", cell.task
        for cell in rubric_cells(study, judge):
            yield f"results/criteria/{judge}/{cell.path}.parquet", cell.task
        for model, task in _places(study, judge):
            if ranks(study, judge):
                yield f"results/rankings/{judge}/{model}/{task}.parquet", task
            if lists(study, judge):
                yield f"results/rankings/{judge}/{model}/{task}.lists.parquet", task


def manifests(study: Study) -> list[str]:
    """What says where models and data sets come from."""
    return [
        *(f"resources/models/{id_}/manifest.json" for id_ in study.whole_models),
        *(f"resources/models/{id_}/manifest.json" for id_ in study.derived_models),
        *(f"resources/datasets/{id_}.manifest.json" for id_ in study.datasets),
    ]


def code_files(root: Path) -> list[Path]:
    """The files of the code, relative to the project, sorted."""
    found = [root / name for name in CODE]
    inside = [path for one in found for path in ([one] if one.is_file() else one.rglob("*"))]
    found = [path.relative_to(root) for path in inside if path.is_file()]
    # Caches of Python and of other tools have names of another kind.
    return sorted(p for p in found if is_safe(p.as_posix()) and "__pycache__" not in p.parts)


def restricted(study: Study) -> list[str]:
    """Ids of the data sets whose texts may not be passed on."""
    return [id_ for id_, spec in study.datasets.items() if not spec["licence"]["redistribution"]]


def restricted_tasks(study: Study) -> list[str]:
    """Ids of the tasks that show such texts."""
    hidden = restricted(study)
    return [id_ for id_, task in study.asked_tasks.items() if task["dataset"] in hidden]


def study_files(study: Study) -> list[tuple[str, str | None]]:
    """The files of a study's cells, data sets and models, each with the task it belongs to."""
    found = [(file.path, file.task) for file in answered(study)]
    found += derived(study)
    # Numbers of a model, and no text of anybody.
    found += [(path, None) for path in read(study)]
    found += [(path, None) for path in manifests(study)]
    found += [(path, None) for path in trained(study)]
    free = (id_ for id_ in study.datasets if id_ not in restricted(study))
    found += [(f"resources/datasets/{id_}.parquet", None) for id_ in free]
    found += [(path, None) for path in referred(study)]
    return sorted(set(found), key=lambda file: file[0])


def read(study: Study) -> list[str]:
    """The readings of the residual stream and the vectors made of them.

    Nobody makes these without the weights.
    """
    vectors = [f"{model}/{id_}" for model in read_models(study) for id_ in steered(study)]
    return [
        *(f"results/readings/{cell.path}.parquet" for cell in read_cells(study)),
        *(f"results/vectors/{one}.parquet" for one in vectors),
    ]


def trained(study: Study) -> list[str]:
    """The adapters that were trained here, which nobody else has, and what is said of them."""
    names = ("adapter.gguf", "manifest.json", "losses.parquet")
    own = [id_ for id_ in used_adapters(study) if is_trained(study.adapters[id_])]
    # One that is chosen has the losses of its candidates.
    chosen = study.training.validated
    return [
        f"{FOLDER}/{id_}/{name}" for id_ in own for name in (names[:2] if id_ in chosen else names)
    ]


def referred(study: Study) -> list[str]:
    """Files that configuration files name by their path, besides models and data sets.

    Raises:
        InputError: one lies elsewhere than a study's own files do.
    """
    named = {
        (f"config/judges/{id_}.yaml: key `{key}`", path)
        for id_, judge in study.judges.items()
        for key, path in checks_of(judge)
    } | {
        (
            f"config/models/{id_}.yaml: key `source.template`",
            study.all_models[id_]["source"]["template"],
        )
        for id_ in study.servers
    }
    for id_ in used_adapters(study):
        if "product" in study.adapters[id_]:
            name = f"config/adapters/{id_}.yaml: key `product.path`"
            named.add((name, study.adapters[id_]["product"]["path"]))
    for where, path in sorted(named):
        if not (is_safe(path) and path.startswith(_NAMED_IN) and not path.startswith(_WRITTEN)):
            raise InputError(
                f"{where} names {path}, which an archive cannot hold; put the file into the "
                "project, below resources/ or config/, under a plain name"
            )
    return sorted({path for _, path in named})


def is_safe(name: str) -> bool:
    """Whether a name stays in its folder, on any system."""
    return len(name) <= _MOST_NAME and all(
        len(part) <= _MOST_PART and _PART.fullmatch(part) for part in name.split("/")
    )
