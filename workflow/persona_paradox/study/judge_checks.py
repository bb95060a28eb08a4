"""What the file of a judge must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from ..errors import InputError
from ..kinds import base
from ..kinds.checking import check_once, check_told_apart
from ..names import ACTION, ACTIONS, ANSWERS, CHECKS, PERSONA, RUBRIC_EXPECTED, RUBRIC_SCORE
from .study import Study

# What tables call figures of all judged answers, so that no judge can call its own so.
MEASURES = (
    *(ACTION, PERSONA, *ACTIONS, f"{ACTION}_agreement", "unjudged_rate", "n_characters"),
    *(RUBRIC_SCORE, RUBRIC_EXPECTED, "criterion", "category_score"),
)

# Most answers that a judge sees side by side: it names one by a digit.
MOST_LISTED = 9


def checks_of(judge: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key → file of answers of which it is known what a judge should say, as far as it has some."""
    found = {key: judge.get(key) for key in CHECKS}
    found["criteria.sanity"] = (judge.get("criteria") or {}).get("sanity")
    return [(key, path) for key, path in found.items() if path is not None]


def check_judge(id_: str, study: Study) -> None:
    """Check what a judge is asked, and that it has something to judge.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    judge = study.judges[id_]
    name = f"config/judges/{id_}.yaml"
    asked: Mapping[str, Any] = judge
    if judge["personas"] is not None:
        others = ("ratings", "action", "classes", "criteria", "pairs", "list")
        _check_naming(id_, [key for key in others if asked[key]], study)
    elif not any(asked[key] for key in ("ratings", "action", "classes", "criteria")):
        raise InputError(
            f"{name}: keys `ratings`, `action`, `classes` and `criteria` ask for nothing; write "
            "one of them"
        )
    for key in ("ratings", "classes"):
        check_once(f"{name}: key `{key}`", [one["id"] for one in judge[key]], "rename")
        check_told_apart(f"{name}: key `{key}`", [one["title"] for one in judge[key]])
    for one in judge["classes"]:
        about = f"{name}: key `classes` of {one['id']}"
        check_once(about, [each["id"] for each in one["classes"]], "rename")
        check_told_apart(about, [each["title"] for each in one["classes"]])
    _check_measures(name, judge)
    _check_known(name, judge)
    words = judge["action"] is not None and judge["action"]["labels"]
    digits = ("ratings", "classes", "criteria", "pairs", "list")
    more = [key for key in digits if asked[key]]
    if words and more:
        raise InputError(
            f"{name}: key `action.labels` is for judges that are asked nothing else, since all "
            f"else is answered by a digit, but key `{more[0]}` of this one asks for more; take "
            "one of them out"
        )
    if words:
        _check_words(name, words)
    if judge["reads"] != ANSWERS and judge["action"] is not None:
        raise InputError(
            f"{name}: key `action` is for judges of `answers`, but key `reads` of this one is "
            f"{judge['reads']!r}; take it out"
        )
    if judge["rounds"] and judge["action"] is None:
        raise InputError(
            f"{name}: key `rounds` asks for what every answer of a conversation does, but key "
            "`action` has no question; write one, or take `rounds` out"
        )
    if judge["reads"] != ANSWERS and judge["criteria"] is not None:
        raise InputError(
            f"{name}: key `criteria` is for judges of `answers`, but key `reads` of this one is "
            f"{judge['reads']!r}; take it out"
        )
    if study.judged_cells(id_, kin=True) and not study.judged_cells(id_):
        raise InputError(
            f"{name}: key `model` is of the family of every model of the study, and judges do not "
            "judge their kin; choose another model, or set key `own_family` to true"
        )
    if study.judged_cells(id_):
        _check_scale(name, judge, study)
    if study.settings["rankings"]["listwise"] and judge["list"] and len(study.ranked) > MOST_LISTED:
        raise InputError(
            f"key `rankings.listwise` of the study shows {len(study.ranked)} answers side by side, "
            f"but a judge can name one of {MOST_LISTED} at most; narrow key `rankings.groups`"
        )


def _check_words(name: str, words: Sequence[str]) -> None:
    """Check that a reply can be told apart from the other words by how it begins."""
    for one, other in permutations(words, 2):
        if one != one.strip() or other.lower().startswith(one.lower()):
            why = "has blanks at an end" if one != one.strip() else f"is how {other!r} begins"
            raise InputError(
                f"{name}: key `action.labels` has the word {one!r}, which {why}; write another"
            )


def _check_known(name: str, judge: Mapping[str, Any]) -> None:
    """Check that answers of known worth are asked about."""
    for key, done, asked in (
        ("sanity", "rated or compared", ("ratings", "pairs")),
        ("sanity_classes", "of classes", ("action", "classes")),
        ("injections", "rated", ("ratings",)),
        ("authors", "of known authors", ("personas",)),
    ):
        if judge[key] and not any(judge[one] for one in asked):
            wanted = " or ".join(f"`{one}`" for one in asked)
            raise InputError(
                f"{name}: key `{key}` names answers that are {done}, but the judge is asked for "
                f"nothing of the kind; take it out, or write {wanted}"
            )


def _check_naming(id_: str, asked: Sequence[str], study: Study) -> None:
    """Check that a judge of personas does nothing else, and has personas to name."""
    name = f"config/judges/{id_}.yaml"
    if asked:
        raise InputError(
            f"{name}: key `personas` asks for a letter, and key `{asked[0]}` for a digit; write "
            "two judges, each with a file of its own"
        )
    if "{persona}" in study.judges[id_]["user"]:
        raise InputError(
            f"{name}: key `user` tells by {{persona}} who answered, which key `personas` asks for; "
            "take the place out"
        )
    if study.settings["identification"] is None:
        raise InputError(
            f"{name}: key `personas` asks which persona answered, but key `identification` of the "
            "study names no groups of personas; write it, or take the judge out"
        )


def _check_measures(name: str, judge: Mapping[str, Any]) -> None:
    """Check that no two figures of a judge's answers have one name."""
    seen = dict.fromkeys(MEASURES, "what tables call another figure")
    for kind in base.kinds():
        if base.has(kind, "judged_metrics"):
            own = base.load(kind, "judged_metrics").METRICS
            seen |= {metric.id: "what tables call another figure" for metric in own}
    for key, id_, measure in _measures(judge):
        if measure in seen:
            whole = "" if measure == id_ else f", so that a figure is called {measure!r}"
            raise InputError(
                f"{name}: key `{key}` has the id {id_!r}{whole}, which is {seen[measure]}; "
                "rename it"
            )
        seen[measure] = f"a figure of key `{key}` as well"


def _measures(judge: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key, id, and what a figure is called that follows from it."""
    for rating in judge["ratings"]:
        yield "ratings", rating["id"], rating["id"]
    for one in judge["classes"]:
        yield "classes", one["id"], one["id"]
        for each in ("agreement", *(each["id"] for each in one["classes"])):
            yield "classes", one["id"], f"{one['id']}_{each}"


def _check_scale(name: str, judge: Mapping[str, Any], study: Study) -> None:
    """Check that clinicians are asked on the scale of the judge with whom they are compared."""
    ids = [rating["id"] for rating in judge["ratings"]]
    # Clinicians do not read thoughts.
    for question in study.forms.get(judge["reads"], {"questions": []})["questions"]:
        rating = question.get("rating")
        values = sorted(option["value"] for option in question["options"])
        scale = list(range(1, judge["scale"] + 1))
        if rating is not None and rating["id"] in ids and values != scale:
            raise InputError(
                f"config/forms/{judge['reads']}.yaml: key `questions` asks {question['id']!r} with "
                f"the options {values}, but {name} rates {rating['id']!r} from 1 to "
                f"{judge['scale']}; give both the same scale, or set key `rating` of the question "
                "to null"
            )
