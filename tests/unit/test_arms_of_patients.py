"""Rules of arms that change the patient: vital signs, age, sex and ethnicity, worked by hand."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_paradox.data.changes import perturb
from persona_paradox.data.vitals import CLASSES, class_of, readings, set_to
from persona_paradox.errors import InputError
from persona_paradox.schema import check_schema


def cases(*texts: str) -> pl.DataFrame:
    n = len(texts)
    table = {
        "item_id": [f"item_{i}" for i in range(n)],
        "case": texts,
        "reference": ["high"] * n,
        "excluded": [None] * n,
    }
    return pl.DataFrame(table, schema_overrides={"excluded": pl.String})


def changed(rule: str, *texts: str, **keys: Any) -> pl.DataFrame:
    """What an arm makes of cases, its keys checked and filled by its schema."""
    arm = {"title": "x", "rule": rule, **keys}
    check_schema(arm, f"arms/{rule}", "arm")
    module = import_module(f"persona_paradox.data.arms.{rule}")
    return perturb(cases(*texts), module.change, arm | {"case": {"column": "text"}}, "arm")


# Text, vital sign, what is read: a temperature in degrees Fahrenheit.
READ: list[tuple[str, str, list[float]]] = [
    ("Her pulse is 93/min and regular.", "heart_rate", [93]),
    ("Heart rate: 104 per minute\nRespiratory rate: 22 per minute", "heart_rate", [104]),
    ("Heart rate: 104 per minute\nRespiratory rate: 22 per minute", "respiratory_rate", [22]),
    ("HR 88, BP 136/58, RR 14, SpO2 99%.", "heart_rate", [88]),
    ("HR 88, BP 136/58, RR 14, SpO2 99%.", "respiratory_rate", [14]),
    ("HR 88, BP 136/58, RR 14, SpO2 99%.", "oxygen_saturation", [99]),
    ("HR 88, BP 136/58, RR 14, SpO2 99%.", "systolic", [136]),
    ("HR 88, BP 136/58, RR 14, SpO2 99%.", "diastolic", [58]),
    ("Pulse oximetry on room air shows 92%.", "oxygen_saturation", [92]),
    ("Pulse oximetry on room air shows 92%.", "heart_rate", []),
    ("The pulse pressure is 40 mm Hg.", "heart_rate", []),
    ("Pulses are 2+. Respirations are 12-15/min.", "respiratory_rate", []),
    ("Oxygen saturation: 97 %", "oxygen_saturation", [97]),
    ("Temperature is 37.0°C (98.6°F).", "temperature", [98.6]),
    ("Temperature is 98.6°F (37°C).", "temperature", [98.6]),
    ("T 38.5 C, later 101.3 F.", "temperature", [101.3, 101.3]),
    ("The sample is heated to 90°C.", "temperature", []),
    ("Temperature: 36.6 °C", "temperature", [97.88]),
    ("Systolic blood pressure: 160 mmHg\nDiastolic blood pressure: 90 mmHg", "systolic", [160]),
    ("Systolic blood pressure: 160 mmHg\nDiastolic blood pressure: 90 mmHg", "diastolic", [90]),
    ("Blood pressure is 128/79 mm Hg, then 90/60 mm Hg.", "systolic", [128, 90]),
    ("Heart rate: not recorded\nRespiratory rate: 20 per minute", "heart_rate", []),
]


@pytest.mark.parametrize(("text", "vital", "values"), READ)
def test_vital_signs_are_found_in_fields_and_in_text(
    text: str, vital: str, values: list[float]
) -> None:
    assert sorted(one.value for one in readings(text, vital)) == pytest.approx(sorted(values))


def test_classes_meet_without_a_gap_and_the_middle_of_each_is_of_it() -> None:
    for vital, bounds in CLASSES.items():
        step = 0.1 if vital == "temperature" else 1
        ordered = sorted(bounds)
        for lower, upper in pairwise(ordered):
            assert bounds[upper][0] - bounds[lower][1] == pytest.approx(step)
        for class_, (low, high) in bounds.items():
            assert {class_of(vital, value) for value in (low, (low + high) / 2, high)} == {class_}
    assert class_of("heart_rate", 260) == 2
    assert class_of("systolic", 30) == -2
    # 37.9 °C is 100.22 °F, between two published bounds; 38 °C is 100.4 °F.
    assert (class_of("temperature", 100.22), class_of("temperature", 100.4)) == (0, 1)


@pytest.mark.parametrize(
    ("text", "vital", "class_", "new", "severity"),
    [
        ("His pulse is 93/min.", "heart_rate", 2, "His pulse is 156/min.", 1),
        ("His pulse is 93/min.", "heart_rate", 0, "His pulse is 70/min.", -1),
        ("Oxygen saturation: 97 %", "oxygen_saturation", -2, "Oxygen saturation: 82 %", 2),
        ("Temperature: 39.5 °C", "temperature", -1, "Temperature: 33.4 °C", 0),
        (
            "Temperature is 98.6°F (37°C).",
            "temperature",
            2,
            "Temperature is 107.0°F (41.7°C).",
            2,
        ),
        # 118/85: the diastolic part, of class 1, is the more severe one.
        (
            "Blood pressure is 118/85 mm Hg.",
            "blood_pressure",
            -2,
            "Blood pressure is 60/32 mm Hg.",
            1,
        ),
        (
            "Systolic blood pressure: 118 mmHg\nDiastolic blood pressure: 75 mmHg",
            "blood_pressure",
            1,
            "Systolic blood pressure: 130 mmHg\nDiastolic blood pressure: 84 mmHg",
            1,
        ),
    ],
)
def test_a_vital_sign_is_moved_to_the_middle_of_its_class(
    text: str, vital: str, class_: int, new: str, severity: int
) -> None:
    found = changed("severity", text, vital=vital, **{"class": class_})
    assert found["case"].to_list() == [new]
    assert found["severity"].to_list() == [severity]


def test_a_case_without_one_value_or_of_this_class_stays() -> None:
    found = changed(
        "severity",
        "No vital signs.",
        "Pulse 90/min, later pulse 99/min.",
        "Pulse 130/min.",
        "Pulse 80/min.",
        vital="heart_rate",
        **{"class": 2},
    )
    assert found["unchanged"].to_list() == [
        "the case has 0 values of heart rate",
        "the case has 2 values of heart rate",
        "the value is of class 2 already",
        None,
    ]
    assert found["severity"].to_list() == [None, None, None, 2]


def test_values_are_drawn_from_all_of_the_class_and_by_item_alone() -> None:
    texts = ["Temperature: 37.0 °C"] * 400
    keys = {"vital": "heart_rate", "class": 1, "draw": "random"}
    rates = changed("severity", *["Pulse 70/min."] * 400, **keys)["case"]
    values = rates.str.extract(r"(\d+)").cast(pl.Int64)
    assert (values.min(), values.max()) == (91, 110)
    assert (
        changed("severity", *["Pulse 60/min."] * 3, **keys)["case"].to_list() == rates[:3].to_list()
    )
    warm = changed("severity", *texts, vital="temperature", draw="random", **{"class": 1})["case"]
    degrees = warm.str.extract(r"([\d.]+)").cast(pl.Float64)
    assert 37.9 <= degrees.min() < 38.1
    assert 39.7 < degrees.max() <= 40.0


def test_a_saturation_above_normal_is_refused() -> None:
    with pytest.raises(InputError, match="arm: key `class` is 1"):
        changed("severity", "SpO2 97%", vital="oxygen_saturation", **{"class": 1})


@given(st.sampled_from(sorted(CLASSES)), st.integers(-2, 2), st.data())
def test_what_is_set_is_read_again(vital: str, class_: int, data: st.DataObject) -> None:
    class_ = min(class_, max(CLASSES[vital]))
    low, high = CLASSES[vital][class_]
    value = (
        data.draw(st.floats(low, high))
        if vital == "temperature"
        else data.draw(st.integers(int(low), int(high)))
    )
    text = "T 37.0°C (98.6°F), HR 88, BP 136/58, RR 14, SpO2 99%."
    (reading,) = readings(text, vital)
    (again,) = readings(set_to(text, [(reading, float(value))]), vital)
    assert again.value == pytest.approx(value, abs=0.1)
