"""What a judge is asked, how its verdicts are read and measured, and what figures say of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ..kinds import asking, base
from ..measures.metric import Metric
from ..names import ACTION, ACTIONS, CRITERIA, PERSONA, RUBRIC_EXPECTED, RUBRIC_SCORE
from .identification import identification_view
from .identities import identifying
from .inventory import checks_criteria
from .measured_views import measured
from .products import several_wordings
from .rubrics import asks_criteria_alone, rubric_cells
from .study import Study

# What a verdict may take: a blank and a digit, or a word.
DIGIT_TOKENS, WORD_TOKENS = 2, 8

# The scores of a rubric: what they are is in `judges.criteria`.
_RUBRIC_METRICS = (
    Metric(
        RUBRIC_SCORE,
        "Rubric score",
        "score",
        "high",
        "resampled",
        "points of the criteria that are met / points above 0, the mean clipped to 0–1",
        source="Arora et al. 2025",
    ),
    Metric(
        RUBRIC_EXPECTED,
        "Rubric score by probabilities",
        "score",
        "high",
        "resampled",
        "the same with the probability that a criterion is met in the place of the verdict",
        own=True,
    ),
)


def judge_views(id_: str, study: Study) -> Iterator[tuple[str, Any]]:
    """What a judge is asked, how it answers, and how its verdicts are read."""
    judge = study.judges[id_]
    listed = len(study.ranked) if study.settings["rankings"]["listwise"] and judge["list"] else 0
    classes = judged_classes(judge, study)
    most = max(judge["scale"], len(ACTIONS), listed, *map(len, classes.values()))
    words, naming = labels_of(judge), _naming(judge, study)
    labels = words or [str(number) for number in range(1, most + 1)]
    if naming:
        labels = naming["identification"]["labels"]
    yield (
        f"judges/{id_}",
        {
            "instruction": judge["instruction"],
            "user": judge["user"],
            "pairs": judge["pairs"],
            "list": judge["list"],
            "questions": {rating["id"]: rating["question"] for rating in judge["ratings"]}
            | ({} if judge["action"] is None else {"action": judge["action"]["question"]}),
            **naming,
            # Only where there are some, so that what other judges were asked stays.
            **(
                {"classes": {one["id"]: one["question"] for one in judge["classes"]}}
                if judge["classes"]
                else {}
            ),
        },
    )
    yield (
        f"judge_read_out/{id_}",
        {"labels": labels, "answer_prefix": judge["answer_prefix"]} | asking.UNBOUND,
    )
    yield f"judge_classes/{id_}", {"classes": classes}
    room = WORD_TOKENS if words else DIGIT_TOKENS
    yield f"judge_decoding/{id_}", asking.greedy(labels, room + judge["rationale_tokens"])
    yield (
        f"verdicts/{id_}",
        {
            "scale": judge["scale"],
            "better": {rating["id"]: rating["better"] for rating in judge["ratings"]},
            "classes": classes,
            **({"labels": words} if words else {}),
            **{key: value for key, value in naming.items() if key == "identification"},
        },
    )


def labels_of(judge: Mapping[str, Any]) -> list[str]:
    """The words that a judge replies with in the place of digits; nothing where there are none."""
    return list((judge["action"] or {}).get("labels") or ())


def _naming(judge: Mapping[str, Any], study: Study) -> dict[str, Any]:
    """What a judge that names personas is asked, and what it must not read; nothing of others."""
    if judge["personas"] is None:
        return {}
    shown = {key: identification_view(study)[key] for key in ("labels", "options", "seed")}
    return {
        "identification": shown | {"question": judge["personas"]["question"]},
        "masked": identifying(study.personas, {}),
        # Whose answers may test it.
        "personas": list(study.personas),
    }


def judged_classes(judge: Mapping[str, Any], study: Study) -> dict[str, list[str]]:
    """Dimension → its classes, in the order of a judge's digits; the action is one of them."""
    if judge["personas"] is not None:
        return {PERSONA: [one["id"] for one in identification_view(study)["options"]]}
    action = {} if judge["action"] is None else {ACTION: list(ACTIONS)}
    own = {one["id"]: [each["id"] for each in one["classes"]] for one in judge["classes"]}
    return action | own


def judged_view(study: Study) -> dict[str, Any]:
    """What the tables of judged answers need: cells, tasks and judges."""
    judges: dict[str, dict[str, Any]] = {}
    tasks = {}
    for id_ in study.active_judges:
        judge, cells = study.judges[id_], study.judged_cells(id_)
        judges[id_] = {
            "reads": judge["reads"],
            "better": {rating["id"]: rating["better"] for rating in judge["ratings"]},
            "scale": judge["scale"],
            "classes": judged_classes(judge, study),
            "usable": judge["usable"],
            # Only where there are some, so that tables of other studies stay.
            **({"sanity_classes": judge["sanity_classes"]} if judge["sanity_classes"] else {}),
            "compares": judge["pairs"] is not None and len(study.ranked) > 1,
            "lists": judge["list"] is not None
            and study.settings["rankings"]["listwise"]
            and len(study.ranked) > 1,
            "places": sorted({(cell.model, cell.task) for cell in cells}),
        }
        # Only where there are some, so that tables of other studies stay.
        if rubrics := sorted({cell.task for cell in rubric_cells(study, id_)}):
            judges[id_][CRITERIA] = rubrics
        if checks_criteria(study, id_):
            judges[id_]["criteria_sanity"] = True
        for task in {cell.task for cell in cells}:
            tasks[task] = {"categories": [], "benign": []} | measured(task, study)
    return {
        "baseline": study.settings["baseline"],
        "personas": list(study.personas),
        "ranked": study.ranked,
        "proportionate": study.settings["statistics"]["proportionate"],
        "judges": judges,
        "tasks": tasks,
        # Only where there are several, so that tables of other studies stay.
        **({"wordings": True} if several_wordings(study) else {}),
    }


def judge_shown(id_: str, study: Study) -> dict[str, Any]:
    """What figures say of a judge."""
    judge = study.judges[id_]
    family = study.all_models[judge["model"]]["family"]
    return {
        "title": judge["title"],
        "reads": judge["reads"],
        "scale": judge["scale"],
        "ratings": [
            {key: rating[key] for key in ("id", "title", "better")} for rating in judge["ratings"]
        ],
        # Only where there are some, so that figures of other studies stay.
        **({"classes": _classes_shown(judge)} if judge["classes"] else {}),
        **({"criteria_alone": True} if asks_criteria_alone(judge) else {}),
        **({"personas": True} if judge["personas"] else {}),
        "compares": judge["pairs"] is not None and len(study.ranked) > 1,
        "usable": judge["usable"],
        # Models of its own family that it judges, since its file asks for it.
        "kin": sorted(
            {c.model for c in study.judged_cells(id_) if study.models[c.model]["family"] == family}
        ),
    }


def _classes_shown(judge: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Dimensions of classes: `id`, `title`, and the `classes` by what their shares are called."""
    return [
        {
            "id": one["id"],
            "title": one["title"],
            "classes": [
                {"id": f"{one['id']}_{each['id']}", "title": each["title"]}
                for each in one["classes"]
            ],
        }
        for one in judge["classes"]
    ]


def judged_metrics(study: Study) -> dict[str, dict[str, Any]]:
    """What is measured of judged answers besides, by their kinds; see `measures.metric`."""
    kinds = dict.fromkeys(
        study.kind(c.task) for id_ in study.active_judges for c in study.judged_cells(id_)
    )
    metrics = [
        metric
        for kind in kinds
        if base.has(kind, "judged_metrics")
        for metric in base.load(kind, "judged_metrics").METRICS
    ]
    if any(rubric_cells(study, judge) for judge in study.active_judges):
        metrics += _RUBRIC_METRICS
    return {metric.id: asdict(metric) for metric in metrics}
