"""What a study makes: the tables and figures of its keys `tables` and `figures`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from root import ROOT

from persona_paradox.archive.check_tables import made_tables
from persona_paradox.errors import InputError
from persona_paradox.figures import catalogue
from persona_paradox.figures.catalogue import figures
from persona_paradox.kinds import base
from persona_paradox.measures import recalibration
from persona_paradox.schema import check_schema
from persona_paradox.study import products
from persona_paradox.study.load import load_study
from persona_paradox.study.study import Study

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/study.schema.yaml").read_text())["properties"]
CELL_TABLES = [*products.MEASURED_TABLES, *products.STUDY_TABLES, *base.tables("triage")]
TABLES = [
    *CELL_TABLES,
    *products.DECOMPOSED_TABLES,
    *products.ARM_TABLES,
    *products.FACTOR_TABLES,
    *products.TUNING_TABLES,
    *products.ROUTING_TABLES,
    *products.AMBIGUITY_TABLES,
    *products.CONFORMAL_TABLES,
    *products.AXIS_TABLES,
    *products.STEERING_TABLES,
    *products.SURVIVAL_TABLES,
    *products.CYCLE_TABLES,
    *products.JUDGED_TABLES,
    *products.WORDING_TABLES,
    *products.RUBRIC_TABLES,
    *products.IDENTIFICATION_TABLES,
    *products.CLINICIAN_TABLES,
    "delivery",
    "thoughts",
]
OF_FEW_STUDIES = (
    *products.WORDING_TABLES,
    *products.RUBRIC_TABLES,
    *products.ARM_TABLES,
    *products.FACTOR_TABLES,
    *products.ROUTING_TABLES,
    *products.AMBIGUITY_TABLES,
    *products.CONFORMAL_TABLES,
    *products.AXIS_TABLES,
    *products.STEERING_TABLES,
    *products.IDENTIFICATION_TABLES,
    *products.SURVIVAL_TABLES,
    *products.CYCLE_TABLES,
    *products.RUBRIC_TABLES,
)
# Of judges and clinicians, and of the default study's kinds; of those that only some studies have,
# that of a tuned model, which is asked there beside its base.
ALL_FIGURES = [
    id_
    for id_, figure in figures().items()
    if figure.kind in (None, "labelled", "safety", "triage")
    and figure.only_with in (None, "tuning")
]
TRIAGE_FIGURES = [id_ for id_ in ALL_FIGURES if figures()[id_].kind in ("labelled", "triage")]
ABOUT = "{title: A, shows: a, needs: [cells], caption: A.}"
ENDS = ("yaml", "py")


def study(**change: Any) -> Study:
    """The default study with some keys changed."""
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | change
    return load_study(settings, ROOT / "config", check_schema)


TRIAGE = {"tasks": ["triage_ed"], "judges": [], "limits": {}}


def test_every_table_is_known_and_every_map() -> None:
    assert set(products.all_tables()) == {*TABLES}
    assert "confusion" in base.tables("triage")
    assert SCHEMA["recalibrations"]["items"]["enum"] == list(recalibration.METHODS)


def test_all_is_what_the_study_has_answers_for() -> None:
    assert study().tables == [id_ for id_ in TABLES if id_ not in ("thoughts", *OF_FEW_STUDIES)]
    assert study().possible_figures == ALL_FIGURES
    triage = [*CELL_TABLES, *products.DECOMPOSED_TABLES, *products.TUNING_TABLES, "delivery"]
    assert study(**TRIAGE).tables == triage
    assert study(**TRIAGE).possible_figures == TRIAGE_FIGURES


@pytest.mark.parametrize("figure", figures().values(), ids=lambda figure: figure.id)
def test_a_figure_needs_tables_that_there_are(figure: catalogue.Figure) -> None:
    assert set(figure.needs) <= set(products.all_tables())


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"judges/figures/a.yaml": "title: A"}, "^workflow/lib/judges/.*a.yaml: a figure has the"),
        ({"judges/figures/a.yaml": ABOUT}, "nothing draws it; write a.py beside it"),
        ({"judges/figures/a.py": ""}, "a.py: nothing says what it shows; write a.yaml beside it"),
        (
            {
                f"{folder}/figures/a.{end}": ABOUT
                for folder in ("kinds/b", "judges")
                for end in ENDS
            },
            "there is a figure a in kinds/b too; rename one of them",
        ),
    ],
    ids=["keys", "module", "alone", "twice"],
)
def test_a_figure_that_is_not_whole_is_refused(
    files: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "_LIBRARY", tmp_path / "workflow/lib")
    for name, text in files.items():
        path = tmp_path / "workflow/lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with pytest.raises(InputError, match=said):
        figures.__wrapped__()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.py": ""}, "kinds/triage/tables/a.yaml must be there, beside what makes the table"),
        ({"a.py": "", "a.yaml": "row_is: a toss"}, "the keys `row_is` and `caption` and no others"),
        ({"cells.py": ""}, "kinds/triage/tables/cells.py: every study has a table cells already"),
    ],
    ids=["alone", "keys", "taken"],
)
def test_a_table_that_is_not_whole_is_refused(
    files: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "triage/tables"
    folder.mkdir(parents=True)
    (tmp_path / "triage/task.schema.yaml").touch()
    for name, text in files.items():
        (folder / name).write_text(text)
    monkeypatch.setattr(base, "FOLDER", tmp_path)
    with pytest.raises(InputError, match=said):
        products.all_tables()


def test_a_figure_of_a_table_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one = figures()["triage_accuracy"]
    monkeypatch.setitem(figures(), one.id, replace(one, needs=("cels",)))
    with pytest.raises(InputError, match=r"triage_accuracy\.yaml: key `needs` names the table"):
        study()


def test_the_id_of_a_set_is_no_persona() -> None:
    with pytest.raises(InputError, match="'big_five', which is a set of personas; write big_five@"):
        study(personas=["no_persona", "big_five"])


def test_what_says_whether_to_trust_the_others_is_made_in_any_case() -> None:
    assert study(tables=["wins", "cells"]).tables == ["cells", "wins", "judges", "delivery"]
    assert study(tables=[]).tables == ["judges", "delivery"]
    assert study(**TRIAGE, tables=["cells"]).tables == ["cells", "delivery"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tables": "some"}, "key `tables` is 'some', but must be all .or a list"),
        (
            {"tables": ["cell"]},
            "key `tables` of the study names 'cell', which there is not; .* of measures, cells",
        ),
        ({"figures": ["spread", "spread"]}, "key `figures` has 'spread' twice"),
        ({"figures": None}, "key `figures` is null, but must be a list"),
        ({"recalibrations": ["platt"]}, "key `recalibrations.0` is 'platt', but must be one of"),
        (TRIAGE | {"tables": ["wins"]}, "key `tables` of the study names 'wins', for which"),
        (TRIAGE | {"figures": ["safety"]}, "key `figures` of the study names 'safety', for which"),
        ({"figures": ["triage"]}, "names 'triage', which there is not; .* some of .*, risk_plane,"),
    ],
)
def test_what_cannot_be_made_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        study(**change)


def test_an_archive_is_compared_in_what_it_asks_for_and_in_what_else_it_holds(
    tmp_path: Path,
) -> None:
    copy = SimpleNamespace(
        study=study(**TRIAGE, tables=["cells"]), path=tmp_path / "copy", theirs=tmp_path / "theirs"
    )
    for side, names in (("copy", ("cells", "spread", "wins")), ("theirs", ("spread",))):
        for name in names:
            path = tmp_path / side / f"results/tables/{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    found = list(made_tables(copy))
    assert found == ["results/tables/cells.csv", "results/tables/spread.csv"]
