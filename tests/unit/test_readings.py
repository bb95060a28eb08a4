"""What a study asks of the residual stream: its keys, its cells, its figures."""

from __future__ import annotations

import json
import re
import runpy
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
import vl_convert
import yaml
from root import ROOT

from persona_paradox.axis import doses, positions, reading, space, words
from persona_paradox.axis.figures import axis_drift, axis_position, persona_space
from persona_paradox.errors import InputError
from persona_paradox.figures import ink, typeset, vega
from persona_paradox.files import table_bytes
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.readings import read_cells
from persona_paradox.study.steering import check_steering
from persona_paradox.study.study import Study
from persona_paradox.study.views import views

ROLES = [f"role {number}" + " of a long name" * (number % 3 == 0) for number in range(16)]
ASKED: dict[str, Any] = {"tasks": ["triage_ed"], "roles": ["paper", "control"]}


def settings_of(**change: Any) -> dict[str, Any]:
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return settings | {"tasks": ["triage_ed"], "judges": [], "limits": {}} | change


def study(**change: Any) -> Study:
    settings = settings_of(**change)
    return load_study(settings, ROOT / "config", check_schema)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tasks": ["triage_primary"]}, "`readings.tasks` of the study names 'triage_primary'"),
        ({"default": "layperson_x"}, "`readings.default` of the study is 'layperson_x'"),
        ({"roles": ["nobody"]}, "names 'nobody', which nothing of the study has"),
        ({"roles": ["own"]}, "0 personas beside 'no_persona', but their mean takes two"),
        ({"depths": [1.5]}, "readings.depths"),
        (
            {"metrics": ["acuracy"]},
            "`readings.metrics` of the study names 'acuracy', which is n",
        ),
    ],
)
def test_keys_that_cannot_be_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        study(readings=ASKED | change)


def test_without_the_key_nothing_is_read() -> None:
    default = study()
    assert not {"axis", "persona_space"} & {*default.possible_tables}
    assert not {"axis_position", "axis_drift"} & {*default.possible_figures}
    assert read_cells(default) == []
    assert not {"readings", "axis"} & {name for name, _ in views(default)}


def test_a_conversation_is_read_after_every_turn() -> None:
    talk = "teaching_questions_once@doubt_physician_twice"
    base = talk.partition("@")[0]
    found = study(tasks=[base, talk], readings=ASKED | {"tasks": [talk]})
    assert "axis_drift" in found.possible_figures
    rounds = list(dict.fromkeys(cell.task for cell in read_cells(found)))
    assert rounds == [base, f"{talk}+1", talk]
    once = study(tasks=[base, talk], readings=ASKED | {"tasks": [base]})
    assert "axis_drift" not in once.possible_figures
    assert "axis_position" in once.possible_figures


def test_the_space_of_a_conversation_is_that_of_its_last_turn(tmp_path: Path) -> None:
    """Turns between the first, which makes the axis, and the last do not move it."""
    random = np.random.default_rng(7)
    personas = ["none", "nurse", "engineer", "librarian"]
    items = [f"item {number}" for number in range(6)]
    for turn in ("first", "second", "last"):
        for persona in personas:
            file = tmp_path / f"readings/tiny/{turn}/{persona}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            own = {"status": "ok", "layer": 3, "depth": 0.5}
            rows = [own | {"item_id": id_, "vector": random.normal(size=5)} for id_ in items]
            file.write_bytes(table_bytes(pl.DataFrame(rows, schema=reading.SCHEMA), {}))
    given = {"items/cases": pl.DataFrame({"item_id": items}), "contrasts": tables()["contrasts"]}
    for name, table in given.items():
        file = tmp_path / f"{name}.parquet"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(table_bytes(table, {}))
    place = runpy.run_path(str(ROOT / "workflow/scripts/place_personas.py"), run_name="place")
    statistics = {"seed": 1, "draws": 50, "confidence": 0.95}
    (tmp_path / "statistics.json").write_text(json.dumps(statistics))

    def spaced(*turns: str) -> pl.DataFrame:
        about = {"dataset": "cases", "cluster": None, "rounds": turns}
        view = {"models": ["tiny"], "tasks": {"talk": about}, "personas": personas, "steered": []}
        view |= {"roles": personas[1:], "default": "none", "metrics": [], "measured": {}}
        (tmp_path / "view.json").write_text(json.dumps(view))
        names = ("view.json", "statistics.json", "readings", "contrasts.parquet", "items", "tables")
        paths = {name.partition(".")[0]: tmp_path / name for name in names}
        place["main"](Namespace(**paths))
        return pl.read_parquet(tmp_path / "tables/persona_space.parquet")

    assert spaced("first", "last").equals(spaced("first", "second", "last"))
    assert not spaced("first", "last").equals(spaced("first", "second"))


def placed(
    element: ElementTree.Element, at: tuple[float, float] = (0.0, 0.0)
) -> Iterator[tuple[ElementTree.Element, tuple[float, float]]]:
    """Every element of a drawing with its place, in points."""
    moved = re.match(r"translate\(([-\d.]+),([-\d.]+)\)", element.get("transform", ""))
    if moved:
        at = at[0] + float(moved[1]), at[1] + float(moved[2])
    yield element, at
    for child in element:
        yield from placed(child, at)


def shown() -> dict[str, Any]:
    """The figures' settings of a study that reads one task and one conversation."""
    view = dict(views(study(readings=ASKED)))["judged_figures"]
    own = view["readings"]
    own["turns"] = {"triage_ed": 3}
    return view | {"title": "Readings"}


def tables() -> dict[str, pl.DataFrame]:
    personas = ["no_persona", "ed_nurse", "bridge_engineer"]
    where = {"model": "smollm2_135m_instruct", "task": "triage_ed", "layer": 15, "depth": 0.5}
    axis = [
        where
        | {"persona": persona, "turn": turn, "n_items": 40, "n_missing": 2}
        | {"position": place - turn / 10, "position_low": place - 1, "position_high": place + 1}
        | {"axis_cosine": 0.8, "end": "default" if place == 1 else "role"}
        for place, persona in zip((1, 0.2, -0.2), personas, strict=True)
        for turn in range(3)
    ]
    scores = [
        where
        | {"persona": persona, "component": k, "score": k * place, "share": 1 - k / 4}
        | {"n_items": 40, "n_missing": 0, "n_personas": 3}
        for k in (1, 2)
        for place, persona in zip((2.0, -1.0, -1.0), personas, strict=True)
    ]
    contrasts = [
        {"model": where["model"], "task": "triage_ed", "persona": persona, "variant": "main"}
        | {"metric": "accuracy", "against": "persona", "confidence": None}
        | {"difference": 0.1, "low": 0.0, "high": 0.2}
        for persona in personas[1:]
    ]
    text = {"confidence": pl.String}
    return {
        "axis": pl.DataFrame(axis, schema=positions.AXIS),
        "persona_space": pl.DataFrame(scores, schema=space.SPACE),
        "contrasts": pl.DataFrame(contrasts, schema_overrides=text),
    }


def test_positions_are_drawn_with_their_numbers() -> None:
    rows = axis_position.rows(tables(), shown())
    assert rows["position"].to_list() == [1, 0.2, -0.2]
    assert rows["role"].to_list() == [False, True, True]
    assert rows["said"][1] == "0.20 [−0.80, 1.20]; n = 40, 2 without a reading"
    few = {**tables(), "axis": tables()["axis"].with_columns(n_items=pl.lit(3))}
    assert axis_position.rows(few, shown())["position"].null_count() == 3


def test_drift_has_a_row_for_every_turn() -> None:
    rows = axis_drift.rows(tables(), shown())
    assert rows.filter(persona="ED nurse")["turn"].to_list() == [0, 1, 2]


def test_a_persona_has_the_colour_of_its_effect() -> None:
    rows = persona_space.rows(tables(), shown())
    assert rows["first"].to_list() == [2, -1, -1]
    assert rows["second"].to_list() == [4, -2, -2]
    assert rows["effect"].to_list() == [None, 0.1, 0.1]


def test_names_of_personas_cover_neither_each_other_nor_a_point() -> None:
    """Read from the drawing: sixteen personas, most of them in two places of the plane."""
    where = {"model": "smollm2_135m_instruct", "task": "triage_ed", "layer": 15, "depth": 0.5}
    places = [(x % 4 / 40 + 2 * (x // 8), x % 3 / 30 - (x // 8)) for x in range(15)]
    places.append((-3, 1.5))
    table = pl.DataFrame(
        [
            where
            | {"persona": name, "component": k + 1, "score": place[k], "share": 0.5}
            | {"n_items": 40, "n_missing": 0, "n_personas": 16}
            for name, place in zip(ROLES, places, strict=True)
            for k in (0, 1)
        ],
        schema=space.SPACE,
    )
    about = shown()
    about["personas"] |= {name: {"title": name} for name in ROLES}
    spec = vega.report_figure(
        persona_space, {"persona_space": table, "contrasts": tables()["contrasts"]}, about
    )
    drawing = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    image = ElementTree.fromstring(drawing)  # noqa: S314 - our own
    texts, points = [], []
    for element, (x, y) in placed(image):
        tag = element.tag.partition("}")[2]
        if tag == "text" and element.text in ROLES:
            half = typeset.width_of(element.text, ink.SMALL_PT) / typeset.POINT_MM / 2
            # The middle of the line is what is placed, but the foot of its letters is what SVG has.
            texts.append((x - half, y - 0.7 * ink.SMALL_PT, x + half, y))
        if element.get("aria-roledescription") == "point":
            points.append((x - 2.5, y - 2.5, x + 2.5, y + 2.5))
    assert (len(texts), len(points)) == (16, 16)
    for i, one in enumerate(texts):
        for other in [*texts[i + 1 :], *points]:
            assert (
                min(one[2], other[2]) <= max(one[0], other[0]) + 0.1
                or min(one[3], other[3]) <= max(one[1], other[1]) + 0.1
            )


@pytest.mark.parametrize("figure", [axis_position, axis_drift, persona_space])
def test_figures_are_drawn(figure: Any, tmp_path: Path) -> None:
    spec = vega.report_figure(figure, tables(), shown())
    vega.save(spec, tmp_path / "figure.png", "png")
    assert (tmp_path / "figure.png").stat().st_size > 10000


def small(**change: Any) -> Study:
    """The study `axis-small` with some keys changed."""
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings |= yaml.safe_load((ROOT / "config/studies/axis-small.yaml").read_text())
    personas = ["no_persona", "ed_nurse", "role_titles@chef", "role_titles@doctor"]
    settings |= {"personas": personas}
    settings["readings"] |= change.pop("readings", {})
    return load_study(settings | change, ROOT / "config", check_schema)


NURSE = ["no_persona", "role_titles@chef", "role_titles@doctor", "steered_nurse@push_1"]


def test_vectors_are_views_of_their_own() -> None:
    personas = ["ed_nurse", *NURSE, "capped_roles"]
    found = dict(views(small(personas=personas)))
    push, cap = found["steering/steered_nurse@push_1"], found["steering/capped_roles"]
    assert (push["towards"], push["scale"], push["cap"]) == (["ed_nurse"], 1.0, None)
    assert (cap["towards"], cap["scale"], cap["cap"]) == (NURSE[1:3], None, 0.25)
    assert push["tasks"] == ["teaching_questions_once"]
    assert found["axis"]["steered"] == ["steered_nurse@push_1", "capped_roles"]
    more = dict(views(small(personas=[*personas, "layperson"])))
    assert more["steering/steered_nurse@push_1"] == push


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"personas": NURSE}, "`steering.towards` is 'ed_nurse', which is no persona of the study"),
        (
            {"readings": {"vectors": ["triage_ed"]}, "tables": "all", "figures": []},
            "`readings.vectors` of the study names",
        ),
        # What a vector begins from, and what it leads to, is answered before there is one.
        (
            {"personas": [*NURSE, "ed_nurse"], "readings": {"default": NURSE[3]}},
            r"`readings.default` of the study is 'steered_nurse@push_1', from which vectors begin",
        ),
        (
            {"personas": [*NURSE, "ed_nurse"], "baseline": NURSE[3]},
            r"`baseline` of the study is 'steered_nurse@push_1', from which vectors begin",
        ),
        (
            {
                "personas": [*NURSE, "ed_nurse", "capped_roles"],
                "readings": {"roles": ["role_titles", "steered"]},
            },
            r"capped_roles\.yaml: key `steering.towards` is 'roles', but 'steered_nurse@push_1' is",
        ),
    ],
)
def test_steering_that_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        small(**change)


@pytest.mark.parametrize(
    ("steering", "said"),
    [
        ({"scale": "{dose}"}, "is '{dose}', but only a set of personas has factors"),
        ({"cap": 1.5}, "a quantile is from 0 to 1"),
        ({"scale": -1e300}, "`steering.scale` of capped_roles is -1e+300, which moves the model"),
        ({"scale": 1.0, "cap": 0.5}, "has both of `scale` and `cap`"),
        ({}, "has neither of `scale` and `cap`"),
        ({"scale": 1.0, "depths": [0.7]}, "`steering.depths` names 0.7"),
        ({"scale": 1.0, "towards": "no_persona"}, "from which vectors begin"),
    ],
)
def test_a_steering_that_says_too_little_or_too_much(steering: dict[str, Any], said: str) -> None:
    found = small(personas=[*NURSE[:3], "capped_roles"])
    found.personas["capped_roles"]["steering"] = {"towards": "roles", **steering}
    with pytest.raises(InputError, match=re.escape(said)):
        check_steering(found)


def test_steering_without_readings_is_refused() -> None:
    with pytest.raises(InputError, match=r"capped_roles\.yaml: key `steering` needs vectors"):
        study(personas=["no_persona", "ed_nurse", "capped_roles"])


def test_the_summary_says_where_personas_stand_and_what_steering_does() -> None:
    axis = tables()["axis"].with_columns(
        end=pl.when(pl.col("persona") == "ed_nurse").then(None).otherwise(pl.col("end"))
    )
    where = {"model": "smollm2_135m_instruct", "task": "triage_ed", "towards": "ed_nurse"}
    told = [
        where
        | {"persona": "no_persona", "way": "none", "dose": 0.0, "n_incoherent": 0}
        | {"value": 0.25, "n_invalid": 1},
        where
        | {"persona": "steered_nurse@push_2", "way": "push", "dose": 2.0, "n_incoherent": 9}
        | {"difference": -0.1, "low": -0.2, "high": 0.0, "n_invalid": 3},
    ]
    steering = pl.DataFrame(
        [one | {"metric": "accuracy", "n": 40, "n_read": 40} for one in told], schema=doses.DOSES
    )
    ((_, _, positions_told), (_, _, doses_told)) = words.SECTIONS
    said = " ".join(positions_told({"axis": axis}, shown(), {}))
    assert "| ED nurse | 0.20 [-0.80, 1.20]" in said
    assert "n = 40 items (at most 2 without a reading)" in said
    said = " ".join(doses_told({"steering": steering}, shown(), {}))
    assert "| nothing | 25.0% | 1 | 0 of 40 |" in said
    assert "| push 2 | −10.0 [−20.0, 0.0] | 3 | 9 of 40 |" in said
