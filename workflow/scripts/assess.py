"""Put all judgements into tables: numbers, contrasts, rankings, and the quality of the judges."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.judges import assessment, criteria, ranking, trust
from persona_paradox.judges.assessment import JUDGED_VARIANCE, Assessment
from persona_paradox.judges.known import read_classes
from persona_paradox.judges.ranking import Questions
from persona_paradox.names import PANEL, PERSONA, THOUGHTS

Rows = list[dict[str, Any]]


class JudgedCells:
    """The judged cells of a study, and the tables that become of them."""

    def __init__(self, arguments: Namespace) -> None:
        """Read the views."""
        self.folders = arguments
        self.view = files.read_json(arguments.view)
        self.settings = files.read_json(arguments.statistics)
        self.rows: dict[str, Rows] = {
            name: []
            for name in ("judgements", "contrasts", "rankings", "wins", "quality", "rubrics")
        }
        self.variance: Rows = []
        self.judgements: dict[tuple[str, str, str], dict[str, pl.DataFrame]] = {}
        # What trust is measured in: verdicts alone, without the scores that are made of several.
        self.single: dict[tuple[str, str, str], dict[str, pl.DataFrame]] = {}
        self.criteria: dict[tuple[str, str, str], dict[str, pl.DataFrame]] = {}
        self.preferences: dict[tuple[str, str, str], pl.DataFrame] = {}

    def items(self, task: str) -> pl.DataFrame:
        """The data set of a task."""
        return files.read_table(
            self.folders.items / f"{self.view['tasks'][task]['dataset']}.parquet"
        )

    def read(self, judge: str) -> None:
        """Read what a judge said of all cells."""
        spec = self.view["judges"][judge]
        for model, task in spec["places"]:
            place = judge, model, task
            self.single[place] = self.judgements[place] = self.cells(self.folders.judgements, place)
            if task in spec.get("criteria", ()):
                self.add_criteria(place)
            if spec["compares"]:
                path = self.folders.rankings / judge / model / f"{task}.parquet"
                self.preferences[judge, model, task] = files.read_table(path)

    def cells(self, folder: Path, place: tuple[str, str, str]) -> dict[str, pl.DataFrame]:
        """The tables of a judge, model and task: persona → table."""
        return {
            persona: files.read_table(folder.joinpath(*place) / f"{persona}.parquet")
            for persona in self.view["personas"]
        }

    def add_criteria(self, place: tuple[str, str, str]) -> None:
        """Add what a judge says of the criteria of items, and the scores that follow."""
        found = self.cells(self.folders.criteria, place)
        self.criteria[place] = found
        for name, convert in (
            ("single", criteria.verdict_judgements),
            ("judgements", criteria.as_judgements),
        ):
            tables = getattr(self, name)
            tables[place] = {
                persona: pl.concat([table, convert(found[persona])])
                for persona, table in tables[place].items()
            }

    def add_panels(self) -> None:
        """Where several judges read the same answers, a panel of all of them."""
        places = dict.fromkeys((model, task) for _, model, task in self.judgements)
        for model, task in places:
            judges = self.judges_of(model, task)
            if len(judges) < 2:
                continue
            spec = self.spec(PANEL, model, task)
            if not (spec["better"] or spec["classes"]):
                continue
            self.judgements[PANEL, model, task] = {
                persona: assessment.panel_judgements(
                    [self.judgements[j, model, task][persona] for j in judges], spec["classes"]
                )
                for persona in self.view["personas"]
            }
            found = [(j, model, task) for j in judges if (j, model, task) in self.preferences]
            if len(found) > 1:
                several = [self.preferences[key] for key in found]
                self.preferences[PANEL, model, task] = ranking.panel_preferences(several)

    def judges_of(self, model: str, task: str) -> list[str]:
        """The judges that read the answers of a model in a task, and not what it thought."""
        found = [j for j, m, t in self.judgements if (m, t) == (model, task) and j != PANEL]
        return [j for j in found if self.view["judges"][j]["reads"] != THOUGHTS]

    def spec(self, judge: str, model: str, task: str) -> dict[str, Any]:
        """What a judge's cells are measured with; a panel has what all of its judges share."""
        judges = self.judges_of(model, task) if judge == PANEL else [judge]
        first, *others = (self.with_scores(self.view["judges"][id_], task) for id_ in judges)
        better = {
            name: end
            for name, end in first["better"].items()
            if all((o["better"].get(name), o["scale"]) == (end, first["scale"]) for o in others)
        }
        classes = {
            name: own
            for name, own in first["classes"].items()
            if all(other["classes"].get(name) == own for other in others)
        }
        shared = {"better": better, "classes": classes}
        shared |= {"proportionate": self.view["proportionate"]}
        return self.view["tasks"][task] | first | shared

    @staticmethod
    def with_scores(spec: dict[str, Any], task: str) -> dict[str, Any]:
        """A judge with the scores of rubrics among its dimensions, in a task that has criteria."""
        if task not in spec.get("criteria", ()):
            return spec
        return spec | {"better": spec["better"] | dict.fromkeys(criteria.SCORES, "high")}

    def measure(self, judge: str, model: str, task: str) -> None:
        """Add the rows of one judge, model and task, but for those on the judge itself."""
        place = {"judge": judge, "model": model, "task": task}
        spec, items = self.spec(judge, model, task), self.items(task)
        judgements = self.judgements[judge, model, task]
        assessed = Assessment(
            place, spec, self.settings, items=items, baseline=self.view["baseline"]
        )
        rows, contrasts = assessed.assess(judgements)
        self.rows["judgements"] += rows
        self.rows["contrasts"] += contrasts
        if self.view.get("wordings"):
            self.variance += assessed.variance(judgements)
        preferences = self.preferences.get((judge, model, task))
        first = next(iter(judgements.values()))
        questions = Questions(
            first["item_id"].unique(), items, spec["categories"], spec["cluster"], self.settings
        )
        if judge != PANEL:
            better = self.view["judges"][judge]["better"]
            single = self.single[judge, model, task]
            found = trust.study_rows(preferences, single, better, questions, self.settings)
            self.rows["quality"] += [place | row for row in found]
        for persona, table in self.criteria.get((judge, model, task), {}).items():
            rubrics = criteria.tag_rows(table, items, spec["cluster"], self.settings)
            self.rows["rubrics"] += [place | {"persona": persona} | row for row in rubrics]
        if preferences is not None:
            ranked, wins = ranking.rankings(preferences, self.view["ranked"], questions)
            self.rows["rankings"] += [place | row for row in ranked]
            self.rows["wins"] += [place | row for row in wins]
        if judge != PANEL and spec["lists"]:
            lists = files.read_table(
                self.folders.rankings / judge / model / f"{task}.lists.parquet"
            )
            ranked = ranking.listwise(lists, self.view["ranked"], questions)
            self.rows["rankings"] += [place | row for row in ranked]

    def check(self, judge: str) -> None:
        """Add the rows on what a judge makes of answers whose worth is known beforehand."""
        spec = self.view["judges"][judge]
        ratings, pairs = (
            files.read_table(self.folders.checks / judge / f"{name}.parquet")
            for name in ("ratings", "pairs")
        )
        if options := spec["classes"].get(PERSONA):
            rows = trust.author_rows(ratings, options, self.settings)
            rows.append(trust.names_authors(rows, spec["usable"], len(options)))
            self.rows["quality"] += [{"judge": judge, **row} for row in rows]
            return
        classes = None
        if "sanity_classes" in spec:
            file = f"config/judges/{judge}.yaml"
            classes = read_classes(Path(spec["sanity_classes"]), spec["classes"], file)
        rows = trust.check_rows(
            ratings, pairs, spec["better"], spec["usable"], self.settings, classes=classes
        )
        if spec.get("criteria_sanity"):
            known = files.read_table(self.folders.checks / judge / "criteria.parquet")
            rows.append(trust.criteria_row(known, self.settings))
        own = [row for row in self.rows["quality"] if row["judge"] == judge] + rows
        position = [row for row in own if row["metric"].endswith("position_bias")]
        rows.append(trust.usable_row(rows, position, spec["usable"], trust.tests_of(spec)))
        self.rows["quality"] += [{"judge": judge, **row} for row in rows]

    def sanity_of(self, judge: str) -> float | None:
        """How often a judge is right on the sanity pairs, in the form that its rule looks at."""
        metric = trust.tests_of(self.view["judges"][judge])[0]
        found = [
            row.get("value")
            for row in self.rows["quality"]
            if (row["judge"], row["metric"]) == (judge, metric)
        ]
        return found[0] if found else None

    def tables(self) -> dict[str, pl.DataFrame]:
        """All tables by name; a panel is usable where all of its judges are."""
        quality = pl.DataFrame(self.rows["quality"], schema=trust.QUALITY)
        verdicts = quality.filter(pl.col("metric") == "usable")
        usable = dict(verdicts.select("judge", "met").iter_rows())
        sanity = {judge: self.sanity_of(judge) for judge in self.view["judges"]}

        def with_trust(rows: Rows, schema: Any) -> pl.DataFrame:
            for row in rows:
                of_panel = row["judge"] == PANEL
                judges = self.judges_of(row["model"], row["task"]) if of_panel else [row["judge"]]
                row["usable"] = all(usable[judge] for judge in judges)
                known = [value for judge in judges if (value := sanity[judge]) is not None]
                # A panel is no better than the worst of its judges.
                row["sanity_accuracy"] = min(known) if len(known) == len(judges) else None
            return pl.DataFrame(rows, schema=schema | trust.TRUST)

        tested = {k: v for k, v in assessment.CONTRASTS.items() if k != "p_holm"}
        contrasts = assessment.with_holm(with_trust(self.rows["contrasts"], tested))
        return {
            "judgements": with_trust(self.rows["judgements"], assessment.JUDGED),
            "judgement_contrasts": contrasts.select(*assessment.CONTRASTS, *trust.TRUST),
            "rankings": with_trust(self.rows["rankings"], ranking.RANKING),
            "wins": with_trust(self.rows["wins"], ranking.WINS),
            "judges": quality,
            **(
                {"judgement_variance": with_trust(self.variance, JUDGED_VARIANCE)}
                if self.view.get("wordings")
                else {}
            ),
            **(
                {"rubrics": with_trust(self.rows["rubrics"], criteria.RUBRICS)}
                if self.criteria
                else {}
            ),
        }


def main(arguments: Namespace) -> None:
    """Read every judged cell that the study names and write the tables."""
    cells = JudgedCells(arguments)
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        for judge in cells.view["judges"]:
            cells.read(judge)
        cells.add_panels()
        for place in cells.judgements:
            cells.measure(*place)
            cli.log.info("%s: %s/%s", *place)
        for judge in cells.view["judges"]:
            cells.check(judge)
        found = cells.tables()
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    for name, table in found.items():
        files.write_table(table, arguments.tables / f"{name}.parquet", inputs)
        files.write_csv(table, arguments.tables / f"{name}.csv")


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            view="view of the judged cells",
            statistics="view of the statistics",
            judgements="folder of judgements",
            criteria="folder of what judges say of criteria",
            rankings="folder of preferences",
            checks="folder of what judges make of known answers",
            items="folder of data sets",
            tables="folder to write to",
        ),
    )
