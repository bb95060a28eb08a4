"""The reference pages say what the code says: columns of files, metrics of tables."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import polars as pl
import pytest
import yaml
from documented import ROOT, Documented, matches, tables

from persona_paradox.ambiguity import distributions, sets
from persona_paradox.analyses import tuning
from persona_paradox.archive import audit
from persona_paradox.axis import doses, effects, positions, space
from persona_paradox.axis import reading as readings
from persona_paradox.clinicians import agreement, annotations
from persona_paradox.conversations import survival
from persona_paradox.engine import responses, steering
from persona_paradox.identification import measures as identification
from persona_paradox.identification import reading
from persona_paradox.judges import assessment, criteria, cycles, ranking, trust, verdicts
from persona_paradox.kinds import base, measuring
from persona_paradox.kinds.labelled import verbalized
from persona_paradox.kinds.safety import scoring as safety
from persona_paradox.kinds.triage import scoring
from persona_paradox.measures import confidences, recalibration, tabulation, wide
from persona_paradox.measures.metric import Metric
from persona_paradox.names import CALIBRATION
from persona_paradox.prompting import delivery, prompts, steps
from persona_paradox.routing import valuing

RECALIBRATE = runpy.run_path(str(ROOT / "workflow/scripts/recalibrate.py"), run_name="recalibrate")
CALIBRATE = runpy.run_path(str(ROOT / "workflow/scripts/calibrate.py"), run_name="calibrate")
CELL = "{model}/{task}/{persona}.parquet"
FACTORS = runpy.run_path(str(ROOT / "workflow/scripts/tell_factors.py"), run_name="factors")
SCHEMAS = {
    "results/prompts/{task}/{persona}.parquet": prompts.SCHEMA,
    f"results/delivered/{CELL}": delivery.SCHEMA,
    f"results/responses/{CELL}": responses.SCHEMA,
    f"results/verbalized/{CELL}": verbalized.SCHEMA,
    f"results/identified/{CELL}": reading.SCHEMA,
    f"results/scores/{CELL}": scoring.SCHEMA,
    "results/scores/{model}/{free_text_task}/{persona}.parquet": safety.SCHEMA,
    f"results/calibration/{CELL}": confidences.CALIBRATION,
    "results/recalibration/{model}/{task}.parquet": RECALIBRATE["SCHEMA"],
    "results/calibration/{model}/{task}/{persona}.draws.parquet": CALIBRATE["DRAWS_SCHEMA"],
    "results/judgements/{judge}/{model}/{task}/{persona}.parquet": verdicts.JUDGEMENT,
    f"results/criteria/{{judge}}/{CELL}": criteria.CRITERION,
    "results/rankings/{judge}/{model}/{task}.parquet": verdicts.PREFERENCE,
    "results/rankings/{judge}/{model}/{task}.lists.parquet": verdicts.LISTED,
    "results/clinician/annotations.parquet": annotations.ANNOTATIONS,
    f"results/audit/{CELL}": audit.SCHEMA,
    **{
        f"results/tables/{name}.parquet": schema
        for name, schema in tabulation.schemas([measuring.load("triage")]).items()
    },
    "results/tables/factors.parquet": FACTORS["SCHEMA"],
    "results/tables/tuning.parquet": tuning.SCHEMA,
    "results/tables/policies.parquet": valuing.SCHEMA,
    "results/tables/ambiguity.parquet": distributions.SCHEMA,
    "results/tables/conformal.parquet": sets.SCHEMA,
    f"results/readings/{CELL}": readings.SCHEMA,
    "results/tables/axis.parquet": positions.AXIS,
    "results/tables/persona_space.parquet": space.SPACE,
    "results/tables/axis_effects.parquet": effects.EFFECTS,
    "results/tables/steering.parquet": doses.DOSES,
    "results/vectors/{model}/{persona}.parquet": steering.SCHEMA,
    "results/tables/identification.parquet": identification.IDENTIFICATION,
    "results/tables/identification_confusion.parquet": identification.CONFUSION,
    "results/tables/identification_variance.parquet": identification.IDENTIFICATION_VARIANCE,
    "results/tables/judgement_variance.parquet": assessment.JUDGED_VARIANCE | trust.TRUST,
    "results/tables/cycles.parquet": cycles.SCHEMA,
    "results/tables/survival.parquet": survival.SURVIVAL | trust.TRUST,
    "results/tables/turns_held.parquet": survival.TURNS_HELD | trust.TRUST,
    "results/tables/judgements.parquet": assessment.JUDGED | trust.TRUST,
    "results/tables/judgement_contrasts.parquet": assessment.CONTRASTS | trust.TRUST,
    "results/tables/rankings.parquet": ranking.RANKING | trust.TRUST,
    "results/tables/clinician_rankings.parquet": {
        name: dtype for name, dtype in ranking.RANKING.items() if name != "usable"
    },
    "results/tables/wins.parquet": ranking.WINS | trust.TRUST,
    "results/tables/rubrics.parquet": criteria.RUBRICS | trust.TRUST,
    "results/tables/judges.parquet": trust.QUALITY,
    "results/tables/clinicians.parquet": agreement.CLINICIAN,
    "results/tables/agreement.parquet": agreement.AGREEMENT,
    "results/tables/thoughts.parquet": steps.THOUGHTS,
}
METRICS = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", SCHEMAS)
def test_columns_are_those_of_the_code(file: str) -> None:
    documented = next(table for table in tables() if file in table.files)
    schema = pl.DataFrame(schema=SCHEMAS[file]).schema
    assert matches(documented.columns, schema)


def test_cells_of_free_text_have_columns_of_their_own() -> None:
    file = "results/tables/cells.parquet"
    _, documented = [table for table in tables() if file in table.files]
    schema = tabulation.schemas([measuring.load("safety")])["cells"]
    assert matches(documented.columns, pl.DataFrame(schema=schema).schema)


def test_another_column_another_order_and_another_type_are_seen() -> None:
    schema = {"item_id": pl.String(), "n": pl.Int64(), "draws": pl.List(pl.Float32)}
    columns = {"item_id": "text", "n": "whole", "draws": "list of number"}
    assert matches(columns, schema)
    assert not matches(columns | {"more": "text"}, schema)
    assert not matches(dict(reversed(columns.items())), schema)
    assert not matches(columns | {"n": "number"}, schema)


def test_a_path_is_about_one_kind_of_file() -> None:
    cell = Documented((f"results/calibration/{CELL}",), {})
    assert cell.about("results/calibration/tiny/triage_ed/ed_nurse.parquet")
    assert not cell.about("results/calibration/tiny/triage_ed/ed_nurse.draws.parquet")
    assert not cell.about("results/calibration/tiny/ed_nurse.parquet")


# Figures that have no constant: of judged answers, of judges, of raters.
JUDGED = {
    assessment.UNJUDGED,
    "action_agreement",
    assessment.LENGTH,
    assessment.CATEGORY_SCORE,
}
JUDGED |= {*criteria.SCORES, criteria.MET_SHARE, trust.CRITERIA_TEST}
JUDGED |= {"accept", "caution", "refuse", "strength", "strength_controlled", "usable"}
MEASURED = [
    metric
    for kind in base.kinds()
    for module in ("measures", "pairs", "judged")
    if base.has(kind, module)
    for metric in base.load(kind, module).METRICS
]
OF_JUDGES = [
    metric
    for kind in base.kinds()
    if base.has(kind, "judged_metrics")
    for metric in base.load(kind, "judged_metrics").METRICS
]
FIGURES = {
    *(metric.id for metric in MEASURED),
    *wide.HEADLINES,
    *CALIBRATION,
    *recalibration.METHODS,
    *confidences.CONFIDENCES,
    *JUDGED,
    *identification.METRICS,
    *distributions.METRICS,
}


def emitted() -> set[str]:
    """Names of figures that stand in the source of the modules that make rows of metrics."""
    found = set()
    for module in ("judges/trust", "clinicians/agreement", "measures/agreement"):
        text = (ROOT / f"workflow/persona_paradox/{module}.py").read_text(encoding="utf-8")
        found |= set(re.findall(r'_(?:share|mean)\(\s*"(\w+)"', text))
        found |= set(re.findall(r'"metric": "(\w+)"', text))
    return found


@pytest.mark.parametrize("name", sorted(FIGURES | emitted()))
def test_every_figure_has_a_formula(name: str) -> None:
    assert re.search(rf"^\|[^|]*`{name}`.*\|.*\S.*\|", METRICS, re.MULTILINE)


def test_figures_of_the_judges_were_found() -> None:
    assert {"self_agreement", "injection_shift", "length_correlation"} <= emitted()


@pytest.mark.parametrize("metric", MEASURED, ids=lambda metric: metric.id)
def test_the_source_of_a_measure_is_that_of_its_definition(metric: Metric) -> None:
    before, _, of_judges = METRICS.partition("\n## Judged answers")
    text = of_judges if metric in OF_JUDGES else before.partition("\n## Conf")[0]
    (line,) = re.findall(rf"^\|[^|\n]*`{metric.id}`.*$", text, re.MULTILINE)
    source = line.rstrip(" |").rpartition("|")[2]
    for name, year in first_names(metric.source):
        assert name in source
        assert year in source
    assert metric.own <= ("own" in source)


def first_names(text: str) -> set[tuple[str, str]]:
    """The sources of a text, each by its first name and its year."""
    found = set()
    for part in re.split(r"[;:|()]", text):
        years = re.findall(r"\b(?:18|19|20)\d\d\b", part)
        names = re.findall(r"\b[A-ZŁ][\w–-]+", part)
        found |= {(names[0], year) for year in years}
    return found


def test_every_source_is_listed_and_every_listed_source_is_cited() -> None:
    body, _, sources = METRICS.partition("## Sources")
    listed = re.findall(r"^- (\S+?),? .*?(\d{4})\.", sources, re.MULTILINE)
    names = [name.replace("ł", "l").casefold() for name, _ in listed]
    assert names == sorted(names)
    assert len(listed) == len(set(listed)) > 40
    assert first_names(body) == set(listed)


def test_pages_from_elsewhere_are_there() -> None:
    hooks = runpy.run_path(str(ROOT / "docs/hooks.py"))
    for document in hooks["ELSEWHERE"].values():
        assert (Path(ROOT) / document).is_file()


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "config/README.md",
        *(str(f.relative_to(ROOT)) for f in sorted(ROOT.glob("docs/**/*.md"))),
    ],
)
def test_examples_of_files_are_yaml(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for example in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        assert yaml.safe_load(example)


def test_every_figure_is_listed() -> None:
    page = (ROOT / "docs/reference/files.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page.split("\n## Figures\n")[1], re.MULTILINE)
    drawn = [file.stem for file in ROOT.glob("workflow/persona_paradox/**/figures/*.yaml")]
    assert sorted(listed) == sorted(drawn)
