"""Put what clinicians say of the personas, and how far all raters agree, into tables."""

import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.clinicians import agreement
from persona_paradox.clinicians.agreement import Rater
from persona_paradox.clinicians.annotations import ANNOTATIONS
from persona_paradox.clinicians.forms import CONFIDENCE, PREFERENCE
from persona_paradox.errors import InputError
from persona_paradox.judges import ranking
from persona_paradox.judges.ranking import Questions
from persona_paradox.kinds import base
from persona_paradox.names import ACTION, CLINICIANS, CRITERIA, PANEL, THOUGHTS

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Judges:
    """What the judges of a study said.

    Attributes:
        view: of the judged cells.
        folder: of the judgements.
        scores: folder of the scores, which a kind's rule may read as judges do.
        criteria: folder of what they say of criteria.
        usable: judge → whether it is usable by its own rule.
    """

    view: dict[str, Any]
    folder: Path
    scores: Path
    criteria: Path
    usable: dict[str, bool]

    def of(self, task: str) -> dict[str, dict[str, Any]]:
        """The judges of the answers to a task, and not of thoughts before them; their settings."""
        judges = self.view["judges"].items()
        found = {id_: one for id_, one in judges if task in [place[1] for place in one["places"]]}
        return {id_: spec for id_, spec in found.items() if spec["reads"] != THOUGHTS}

    def rater(self, judge: str, task: str, dimension: str, turned: int | None = None) -> Rater:
        """A judge's ratings of all cells of a task; `turned` is the highest, to turn them round."""
        found = {
            (model, persona): files.read_table(
                self.folder / judge / model / task / f"{persona}.parquet"
            )
            for model, other in self.view["judges"][judge]["places"]
            for persona in self.view["personas"]
            if other == task
        }
        usable = self.usable[judge]
        return agreement.judge_rater(judge, found, task, dimension, usable=usable, turned=turned)

    def rule(self, task: str, judge: str, classes: list[str]) -> Rater:
        """What the rule of a task's kind says of the answers that a judge reads."""
        modes = base.load(self.view["tasks"][task]["kind"], "ruled").modes
        found = {}
        for model, other in self.view["judges"][judge]["places"]:
            for persona in self.view["personas"] if other == task else ():
                scores = files.read_table(self.scores / model / task / f"{persona}.parquet")
                found[model, persona] = scores.with_columns(mode=modes(scores, classes))
        return agreement.rule_rater(found, task)

    def criterion_raters(self, task: str) -> list[Rater]:
        """The judges that hold the answers of a task against criteria."""
        asked = {id_: spec for id_, spec in self.of(task).items() if task in spec.get(CRITERIA, ())}
        return [
            agreement.criterion_judge(
                id_,
                {
                    (model, persona): files.read_table(
                        self.criteria / id_ / model / task / f"{persona}.parquet"
                    )
                    for model, other in spec["places"]
                    for persona in self.view["personas"]
                    if other == task
                },
                task,
                usable=self.usable[id_],
            )
            for id_, spec in asked.items()
        ]


def usable_judges(quality: Path | None) -> dict[str, bool]:
    """Judge → whether it is usable, from the table on the judges; nothing without one."""
    if quality is None:
        return {}
    rule = files.read_table(quality).filter(pl.col("metric") == "usable")
    return dict(rule.select("judge", "met").iter_rows())


def judges_agreement(judges: Judges, settings: Any) -> Rows:
    """How far judges of the same task agree, in every dimension that they rate alike, in classes.

    Judges that rate a dimension on other scales, or with other ends, are not compared in it.
    """
    rows: Rows = []
    for task in judges.view["tasks"]:
        asked = {id_: dimensions_of(spec) for id_, spec in judges.of(task).items()}
        for dimension in sorted(set().union(*asked.values())):
            several = [id_ for id_ in asked if dimension in asked[id_]]
            kinds = {asked[id_][dimension] for id_ in several}
            if len(several) < 2 or len(kinds) > 1:
                continue
            raters = [judges.rater(id_, task, dimension) for id_ in several]
            ((_, most),) = kinds
            place = {"task": task, "question": dimension}
            # Classes of a judge's own have no order, as actions have.
            own = dimension != ACTION and dimension in judges.of(task)[several[0]]["classes"]
            rows += agreement.agreement_rows(
                raters, list(range(1, most + 1)), place, settings, ordered=not own
            )
    return rows


def rule_agreement(judges: Judges, settings: Any) -> Rows:
    """How far every judge agrees with the rule of a kind that reads the same classes."""
    rows: Rows = []
    for task, about in judges.view["tasks"].items():
        if not base.has(about["kind"], "ruled"):
            continue
        dimension = base.load(about["kind"], "ruled").DIMENSION
        for id_, spec in judges.of(task).items():
            if classes := spec["classes"].get(dimension):
                raters = judges.rater(id_, task, dimension), judges.rule(task, id_, classes)
                place = {"task": task, "question": dimension}
                rows += agreement.against_rule(*raters, classes, place, settings)
    return rows


def dimensions_of(spec: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Dimension → its better end and its highest digit, of all that a judge says of an answer."""
    found = {name: (end, spec["scale"]) for name, end in spec["better"].items()}
    # Classes have no better end; what they are called tells them apart.
    return found | {name: (" ".join(own), len(own)) for name, own in spec["classes"].items()}


def forms_agreement(
    annotations: pl.DataFrame, forms: dict[str, Any], judges: Judges, settings: Any
) -> Rows:
    """How far clinicians agree on every question of a form, and judges with them."""
    rows: Rows = []
    for task, form in annotations.select("task", "form").unique(maintain_order=True).iter_rows():
        for question in forms[form]["questions"]:
            values = sorted(option["value"] for option in question["options"])
            raters: list[Rater] = agreement.clinician_raters(annotations, question["id"], task)
            asked = question.get("rating")
            for id_, spec in judges.of(task).items():
                if asked is None or asked["id"] not in spec["better"]:
                    continue
                turned = spec["scale"] if asked["turned"] else None
                raters.append(judges.rater(id_, task, asked["id"], turned))
            place = {"task": task, "question": question["id"]}
            ordered = len(values) > 2
            rows += agreement.agreement_rows(raters, values, place, settings, ordered=ordered)
    return rows


def criteria_agreement(annotations: pl.DataFrame, judges: Judges, settings: Any) -> Rows:
    """How far raters agree on the criteria of items, each criterion of an answer being rated."""
    rows: Rows = []
    for task in dict.fromkeys([*annotations["task"], *judges.view["tasks"]]):
        raters = agreement.criterion_raters(annotations, task) + judges.criterion_raters(task)
        place = {"task": task, "question": CRITERIA}
        keys = (*agreement.ANSWER, "question")
        rows += agreement.agreement_rows(raters, [0, 1], place, settings, ordered=False, keys=keys)
    return rows


def preferences(annotations: pl.DataFrame, settings: Any) -> Rows:
    """The rankings of the personas by all clinicians together, and by each."""
    rows: Rows = []
    each = annotations.partition_by("annotator", as_dict=True, maintain_order=True)
    raters = {CLINICIANS: annotations} | {str(k[0]): part for k, part in each.items()}
    for rater, chosen in raters.items():
        compared = agreement.clinician_preferences(chosen)
        for (model, task), part in compared.group_by("model", "task", maintain_order=True):
            personas = sorted({*part["first"], *part["second"]})
            items = pl.DataFrame({"item_id": part["item_id"].unique()})
            questions = Questions(items["item_id"], items, [], None, settings)
            ranked, _ = ranking.rankings(part.drop("model", "task"), personas, questions)
            about = {"judge": rater, "model": model, "task": task}
            # Every pair was seen in one order: nothing is known of the other.
            rows += [about | row | {"n_inconsistent": None} for row in ranked]
    return rows


def check(annotations: pl.DataFrame, forms: dict[str, Any], judges: dict[str, Any]) -> None:
    """Check that the annotations can be read with the forms and the judges of the study.

    Raises:
        InputError: the study has no such form, question or option now, or a judge is called as an
            annotator.
    """
    where = "resources/annotations"
    chosen = annotations.select("form", "question", "value")
    sure = annotations.select("form", question=pl.lit(CONFIDENCE), value=pl.col(CONFIDENCE) * 1.0)
    for name, asked, value in pl.concat([chosen, sure]).unique(maintain_order=True).iter_rows():
        if name not in forms:
            raise InputError(
                f"{where} holds answers on the form {name!r}, which no task of the study uses; add "
                "a task of its kind to key `tasks`, or move the files elsewhere"
            )
        if asked == PREFERENCE:
            continue
        form = forms[name]
        questions = [*form["questions"], {"id": CONFIDENCE, **form["confidence"]}]
        options = {q["id"]: [option["value"] for option in q["options"]] for q in questions}
        if asked not in options:
            raise InputError(
                f"{where} holds answers to {asked!r}, which config/forms/{name}.yaml does not ask; "
                "put back the question that was asked"
            )
        if value not in options[asked]:
            raise InputError(
                f"{where} holds the choice {value:g} for {asked!r}, which config/forms/{name}.yaml "
                "does not offer; put back the options that were asked with"
            )
    for name in annotations["annotator"].unique().sort():
        if name in judges or name in (PANEL, CLINICIANS):
            raise InputError(
                f"{where} names an annotator {name!r}, which is what another rater is called; give "
                "the annotator another code in column `annotator`"
            )


def main(arguments: Namespace) -> None:
    """Write the tables; without annotations those of clinicians have no rows."""
    view = files.read_json(arguments.view)
    settings = files.read_json(arguments.statistics)
    annotations = pl.DataFrame(schema=ANNOTATIONS)
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    forms = files.read_json(arguments.forms)
    if arguments.annotations:
        annotations = files.read_table(arguments.annotations)
        inputs["annotations"] = arguments.annotations
    if arguments.judges:
        inputs["judges"] = arguments.judges
    usable = usable_judges(arguments.judges)
    judges = Judges(view, arguments.judgements, arguments.scores, arguments.criteria, usable)
    criteria = annotations.filter(agreement.of_criteria())
    annotations = annotations.filter(~agreement.of_criteria())
    check(annotations, forms, view["judges"])
    lowest = {
        name: min(option["value"] for option in form["confidence"]["options"])
        for name, form in forms.items()
    }
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        agreed = judges_agreement(judges, settings)
        agreed += rule_agreement(judges, settings)
        agreed += forms_agreement(annotations, forms, judges, settings)
        agreed += criteria_agreement(criteria, judges, settings)
        rated = agreement.clinician_rows(annotations, lowest, settings)
        met = agreement.share_met(criteria)
        rated += agreement.clinician_rows(met, lowest, settings)
        ranked = preferences(annotations, settings)
    found = {
        "clinicians": pl.DataFrame(rated, schema=agreement.CLINICIAN),
        "clinician_rankings": pl.DataFrame(ranked, schema=ranking.RANKING).drop("usable"),
        "agreement": pl.DataFrame(agreed, schema=agreement.AGREEMENT),
    }
    for name, table in found.items():
        files.write_table(table, arguments.tables / f"{name}.parquet", inputs)
        files.write_csv(table, arguments.tables / f"{name}.csv")
    cli.log.info("%d annotations, %d numbers of agreement", annotations.height, len(agreed))


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the judged cells",
        forms="view of the forms",
        statistics="view of the statistics",
        judgements="folder of judgements",
        scores="folder of scores",
        criteria="folder of what judges say of criteria",
        tables="folder to write to",
    )
    options.add_argument("--judges", type=Path, help="table on the judges; none without judges")
    options.add_argument("--annotations", type=Path, help="Parquet file of annotations")
    cli.run(main, options)
