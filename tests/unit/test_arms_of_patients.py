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


AGES = [
    (
        "A 45-year-old man came. The 45-year-old smokes.",
        "An 82-year-old man came. The 82-year-old smokes.",
    ),
    ("An 18 year old woman fell.", "An 82 year old woman fell."),
    (
        "A man, aged 45, whose father died at age 70.",
        "A man, aged 82, whose father died at age 70.",
    ),
    (
        "She is 45 years old; her 19-year-old son fell.",
        "She is 82 years old; her 19-year-old son fell.",
    ),
    ("45yo male with chest pain.", "82yo male with chest pain."),
    ("A woman 45 years of age.", "A woman 82 years of age."),
    ("Complaint: cough\nAge: 45 years\nSex: male", "Complaint: cough\nAge: 82 years\nSex: male"),
    ("A 10-day history. A 45-year-old man.", "A 10-day history. An 82-year-old man."),
]


@pytest.mark.parametrize(("text", "new"), AGES)
def test_every_mention_of_the_patients_age_is_set(text: str, new: str) -> None:
    found = changed("age", text, years=82)
    assert found["case"].to_list() == [new]
    assert found["change"][0].endswith(" → 82")


def test_children_and_cases_without_an_age_stay() -> None:
    found = changed(
        "age",
        "An 8-year-old boy has a rash.",
        "A 6-month-old girl, whose mother is a 30-year-old nurse.",
        "A newborn of a 20-year-old woman.",
        "Chest pain.",
        "An 82-year-old man.",
        "Age: not recorded",
        "A 61-year-old man.",
        years=82,
    )
    assert found["unchanged"].to_list() == [
        "the patient is a child",
        "the patient is an infant",
        "the patient is an infant",
        "the case has no age in years",
        "the patient is aged 82 already",
        "the case has no age in years",
        None,
    ]
    assert changed("age", "An 81-year-old man.", years=40)["case"][0] == "A 40-year-old man."


SEXES = [
    ("A woman says she hurt herself.", "A man says he hurt himself."),
    (
        "Her pulse is fast. You see her today. I saw her.",
        "His pulse is fast. You see him today. I saw him.",
    ),
    (
        "Ask her to sit; her leg hurts and the pain wakes her at night.",
        "Ask him to sit; his leg hurts and the pain wakes him at night.",
    ),
    (
        "Mrs. S is a lady of 60 years. The choice is hers.",
        "Mr. S is a gentleman of 60 years. The choice is his.",
    ),
    ("Age: 30 years\nSex: female", "Age: 30 years\nSex: male"),
    ("A girl is brought by her mother.", "A boy is brought by his mother."),
]


@pytest.mark.parametrize(("female", "male"), SEXES)
def test_words_for_the_patient_are_of_the_other_sex(female: str, male: str) -> None:
    assert changed("sex", female, sex="male")["case"].to_list() == [male]
    back = changed("sex", male, sex="female")["case"][0]
    assert back == female.replace("Mrs.", "Ms.")


def test_cases_of_both_sexes_and_content_of_one_stay() -> None:
    found = changed(
        "sex",
        "A man says that his wife thinks she is ill.",
        "The patient coughs.",
        "A pregnant woman coughs.",
        "A man has prostatitis.",
        "A woman coughs.",
        "A man coughs.",
        sex="male",
    )
    assert found["unchanged"].to_list() == [
        "the case has words of both sexes, or of none",
        "the case has words of both sexes, or of none",
        "the case has content that goes with one sex (pregnan)",
        "the patient is male already",
        None,
        "the patient is male already",
    ]


def test_options_change_their_words_too_and_may_go_with_one_sex() -> None:
    module = import_module("persona_paradox.data.arms.sex")
    table = cases("A woman coughs.", "A woman coughs.", "A woman coughs.").with_columns(
        options=pl.Series(
            [
                ["Send her to bed", "Treat her cough"],
                ["Ovarian cancer", "Flu"],
                ["He is ill", "Flu"],
            ]
        ),
        reference=pl.lit("A"),
        order=pl.lit(None, dtype=pl.List(pl.Int64)),
    )
    found = perturb(table, module.change, {"rule": "sex", "sex": "male"}, "arm")
    assert found["options"][0].to_list() == ["Send him to bed", "Treat his cough"]
    assert found["unchanged"].to_list() == [
        None,
        "the case has content that goes with one sex (ovar)",
        "the case has words of both sexes, or of none",
    ]


def test_a_word_for_ethnicity_stands_behind_the_age_and_in_the_place_of_others() -> None:
    texts = [
        "A 45-year-old man coughs.",
        "A 45-year-old African American man coughs.",
        "A 45-year-old Black man, whose stool is black, coughs.",
        "A 45-year-old Asian man coughs.",
        "A 45-year-old man of Korean descent coughs.",
        "Age: 45 years\nSex: male",
        "An 8-year-old boy coughs.",
        "A man, aged 45, coughs.",
    ]
    found = changed("ethnicity", *texts, word="Asian")
    assert found["case"].to_list() == [
        "A 45-year-old Asian man coughs.",
        "A 45-year-old Asian man coughs.",
        "A 45-year-old Asian man, whose stool is black, coughs.",
        *texts[3:5],
        "Age: 45 years\nEthnicity: Asian\nSex: male",
        *texts[6:],
    ]
    assert found["unchanged"].to_list() == [
        None,
        None,
        None,
        "the patient is Asian already",
        "the case speaks of ethnicity in other words",
        None,
        "the patient is a child",
        "the age is not before a word for the patient",
    ]
    none = changed("ethnicity", *texts, word=None)
    assert none["case"].to_list()[:4] == [
        "A 45-year-old man coughs.",
        "A 45-year-old man coughs.",
        "A 45-year-old man, whose stool is black, coughs.",
        "A 45-year-old man coughs.",
    ]
    assert none["changed"].to_list() == [False, True, True, True] + [False] * 4
