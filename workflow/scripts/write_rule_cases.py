"""Write triage cases by rule, from presentations whose level is known, for training.

A case is a presentation (a history and what is found, in resources/bundled/rule_presentations.csv)
of a person, with vital signs of its pattern, an arrival and remarks that say nothing about the
level. The levels follow the decision points of the Emergency Severity Index (Gilboy et al.,
Emergency Severity Index: A Triage Tool for Emergency Department Care, Version 4, AHRQ 2011; the
danger zone is unchanged in the fifth edition of the Emergency Nurses Association, 2023): A, an
immediate life-saving intervention; B, a high-risk situation, new confusion, or great pain or
distress; C, how many kinds of resources are expected; D, vital signs in the danger zone, which
here always raise level 3 to level 2 (the index leaves that to the nurse). Texts and rules are this
project's own and not clinically validated.
"""

from __future__ import annotations

import csv
import random
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files

# Cases of each level.
CASES = {"ed": 120, "primary": 100}
LEVELS = {"ed": ("1", "2", "3", "4", "5"), "primary": ("A", "B", "C")}
NAMES = {"A": "stay_home", "B": "routine_care", "C": "emergency_care"}
POINTS = {"1": "A", "2": "B", "3": "C", "4": "C", "5": "C"}
# Of the cases of a presentation of level 3, every how many-th has vital signs in the danger zone.
DANGER_EVERY = 4

# who: ages in years; of the youngest in days or months.
AGES = {
    "adult": (18, 64),
    "woman": (18, 44),
    "man": (30, 74),
    "elder": (65, 93),
    "teen": (13, 17),
    "child": (3, 8),
    "infant": (4, 20),
    "newborn": (10, 27),
}
NOUNS = {
    "female": {"child": "girl", "infant": "girl", "newborn": "girl", "teen": "girl"},
    "male": {"child": "boy", "infant": "boy", "newborn": "boy", "teen": "boy"},
}
WORDS = {
    "female": {"he": "she", "his": "her", "him": "her", "adult": "woman"},
    "male": {"he": "he", "his": "his", "him": "him", "adult": "man"},
}
SMALL = ("child", "infant", "newborn")

# Ranges of heart rate, systolic pressure, respiratory rate, saturation and temperature (tenths).
# Those of children are for heart and breath alone; their pressure is not told.
ADULT = {
    "normal": ((62, 94), (112, 146), (12, 18), (95, 99), (364, 372)),
    "mild": ((84, 99), (104, 138), (16, 20), (93, 97), (364, 374)),
    "high": ((70, 98), (158, 196), (14, 20), (94, 98), (363, 371)),
    "fever": ((86, 99), (108, 140), (16, 20), (93, 98), (381, 391)),
    "fever_low": ((76, 94), (112, 138), (14, 18), (96, 99), (374, 381)),
    "tachy": ((112, 138), (96, 128), (21, 28), (90, 95), (365, 382)),
    "danger": ((104, 124), (104, 138), (21, 27), (88, 91), (366, 386)),
    "shock": ((128, 162), (54, 78), (26, 38), (78, 90), (352, 366)),
    "hypoxic": ((122, 150), (92, 168), (34, 46), (62, 80), (363, 376)),
    "slow": ((38, 58), (74, 104), (3, 8), (66, 84), (340, 364)),
    "seizing": ((134, 160), (142, 186), (8, 12), (70, 84), (368, 392)),
}
YOUNG = {
    "child": {"calm": ((84, 124), (18, 26)), "danger": ((144, 164), (32, 44))},
    "infant": {"calm": ((104, 148), (24, 36)), "danger": ((164, 188), (42, 56))},
    "newborn": {"calm": ((124, 168), (32, 48)), "danger": ((184, 206), (54, 66))},
}
CALM = ("normal", "mild", "high", "fever", "fever_low")

ARRIVALS = (
    "{He} came by ambulance.",
    "A relative drove {him} in.",
    "{He} was brought in a wheelchair from the entrance.",
    "A taxi brought {him} to the door.",
    "Paramedics bring {him} in.",
)
ON_FOOT = ("{He} walked in.", "{He} came on foot with a friend.", "{He} took the bus here.")
CARRIED = ("The mother carries {him} in.", "The father brought {him} by car.")
REMARKS = (
    "{He} says that it is surely nothing.",
    "{He} is very worried about it.",
    "{He} says that it cannot wait.",
    "{He} apologizes for taking up time.",
    "The family is upset and wants help at once.",
    "{He} jokes with the staff.",
    "{He} has never felt so bad, {he} says.",
    "A neighbor told {him} to come.",
)
PAST = (
    "{He} has no known illnesses.",
    "{He} takes a tablet for blood pressure.",
    "{He} has high cholesterol.",
    "{He} smokes.",
    "{He} had the gallbladder out years ago.",
    "Penicillin gives {him} a rash.",
    "{He} has a thyroid disorder.",
    "{He} works in a bakery.",
    "{He} lives alone.",
)
PAST_YOUNG = ("All shots were given.", "{He} was born on time.", "{He} is otherwise healthy.")
REMARKS_YOUNG = (
    "The mother says that it is surely nothing.",
    "The parents are very worried.",
    "The grandmother wants help at once.",
    "The father apologizes for taking up time.",
)


def _filled(text: str, sex: str, draw: random.Random) -> str:
    """A text with a number for every {a-b}, and the pronouns of a sex."""
    text = re.sub(r"\{(\d+)-(\d+)\}", lambda m: str(draw.randint(int(m[1]), int(m[2]))), text)
    text = re.sub(r"(?<!\S)1 (day|hour|week|month|session)s", r"1 \1", text)
    for word in ("he", "his", "him"):
        told = WORDS[sex][word]
        text = text.replace(f"{{{word}}}", told).replace(
            f"{{{word.capitalize()}}}", told.capitalize()
        )
    return text


def _person(who: str, sex: str, draw: random.Random) -> tuple[str, str, str]:
    """How a person is called, the age with its unit, and the age in years."""
    number = draw.randint(*AGES[who])
    noun = NOUNS[sex].get(who, WORDS[sex]["adult"])
    unit, letters, per_year = {
        "infant": ("month", "mo", 12),
        "newborn": ("day", "d", 365),
    }.get(who, ("year", "y", 1))
    return f"{number}-{unit}-old {noun}", f"{number} {letters}", f"{number / per_year:.3g}"


def _vitals(pattern: str, who: str, draw: random.Random) -> str:
    """A sentence of vital signs; empty where none can be told."""
    if pattern == "none":
        return ""
    heart, pressure, breath, oxygen, heat = (draw.randint(*range_) for range_ in ADULT[pattern])
    if who in SMALL and pattern not in ("slow",):
        rates = YOUNG[who]["calm" if pattern in CALM else "danger"]
        heart, breath = (draw.randint(*range_) for range_ in rates)
    low = round(pressure * draw.uniform(0.56, 0.66))
    degrees = f"{heat / 10:.1f}"
    if who in SMALL:
        forms = (
            f"Heart rate {heart}, breaths {breath}, temperature {degrees}, oxygen {oxygen}%.",
            f"Temperature is {degrees}, oxygen saturation {oxygen} percent, pulse {heart} and "
            f"respiratory rate {breath}.",
            f"T {degrees}, HR {heart}, RR {breath}, SpO2 {oxygen}%.",
        )
    else:
        forms = (
            f"Heart rate {heart}, pressure {pressure}/{low}, breaths {breath}, "
            f"oxygen {oxygen}%, temperature {degrees}.",
            f"Blood pressure is {pressure} over {low}, oxygen saturation {oxygen} percent, pulse "
            f"{heart}, respiratory rate {breath} and temperature {degrees}.",
            f"BP {pressure}/{low}, HR {heart}, RR {breath}, SpO2 {oxygen}%, T {degrees}.",
            f"Respiratory rate is {breath}, temperature {degrees}, pulse {heart}, saturation "
            f"{oxygen} percent, blood pressure {pressure} over {low}.",
        )
    return draw.choice(forms)


def _case(row: dict[str, str], who: str, sex: str, pattern: str, draw: random.Random) -> list[str]:
    """The text of a case, the age with its unit and in years."""
    person, age, years = _person(who, sex, draw)
    says = draw.choice(row["history"].split("|"))
    article = "An" if re.match(r"8|11-|18-", person) else "A"
    noted = f"{'Female' if sex == 'female' else 'Male'}, {age.replace(' y', ' years')}"
    noted = noted.replace(" mo", " months").replace(" d", " days")
    start = draw.choice((f"{article} {person} {says}.", f"This {person} {says}."))
    if draw.random() < 0.25:
        start = f"{noted}: {says}."
    seen = draw.choice(row["findings"].split("|")) + "."
    young, awake = who in SMALL, row["level"] != "1"
    extras = [draw.choice(PAST_YOUNG if young else PAST)] if draw.random() < 0.6 else []
    if awake and draw.random() < 0.6:
        extras.append(draw.choice(REMARKS_YOUNG if young else REMARKS))
    if row["setting"] == "ed" and draw.random() < 0.8:
        ways = (*CARRIED, ARRIVALS[0]) if young else ARRIVALS + (ON_FOOT if awake else ())
        extras.append(draw.choice(ways))
    behind = [*extras, seen, _vitals(pattern, who, draw)]
    draw.shuffle(behind)
    text = " ".join(part for part in (start, *behind) if part)
    return [_filled(text, sex, draw), age, years]


def cases(rows: Sequence[dict[str, str]], setting: str) -> Iterator[list[str]]:
    """The cases of a setting: one level after the other, its presentations in turn.

    Args:
        rows: presentations, with their columns.
        setting: `ed` or `primary`.

    Yields:
        id, presentation, case, level, decision point, age, sex, complaint, age in years.
    """
    number = 0
    of_level = {
        level: [row for row in rows if row["setting"] == setting and row["level"] == level]
        for level in LEVELS[setting]
    }
    made: dict[str, list[list[str]]] = {level: [] for level in of_level}
    # Level 3 first: what the danger zone raises counts as level 2.
    for level in sorted(of_level, key=lambda level: level != "3"):
        turn = 0
        while len(made[level]) < CASES[setting]:
            row = of_level[level][turn % len(of_level[level])]
            nth = turn // len(of_level[level])
            turn += 1
            draw = random.Random(f"{row['id']}/{nth}")  # noqa: S311 - no secret
            who = row["who"] if row["who"] != "any" else draw.choice(("adult", "elder"))
            fixed = {"woman": "female", "man": "male"}.get(who)
            sex = fixed or ("female" if (nth + int(row["id"][-3:])) % 2 else "male")
            who = "man" if row["who"] == "man" else who
            if "testicle" in row["findings"] + row["history"]:
                sex = "male"
            raised = level == "3" and nth % DANGER_EVERY == DANGER_EVERY - 2
            pattern = "danger" if raised else row["vitals"]
            text, age, years = _case(row, who, sex, pattern, draw)
            final, point = ("2", "D: vital signs in the danger zone") if raised else (level, "")
            point = point or f"{POINTS[level]}: {row['why']}" if setting == "ed" else row["why"]
            told = NAMES.get(final, final)
            made[final].append([row["id"], text, told, point, age, sex, row["complaint"], years])
    for level in of_level:
        for made_case in made[level]:
            number += 1
            yield [f"{'r' + setting[0]}_{number:03d}", *made_case]


def main(arguments: Namespace) -> None:
    """Read the presentations, and write the cases of both settings."""
    with open(arguments.presentations, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for setting, path in (("ed", arguments.ed), ("primary", arguments.primary)):
        with (
            files.atomic_path(path) as partial,
            open(partial, "w", encoding="utf-8", newline="") as handle,
        ):
            writer = csv.writer(handle, lineterminator="\n")
            level, point = ("esi", "decision_point") if setting == "ed" else ("level", "reason")
            writer.writerow(
                ["id", "presentation", "case", level, point, "age", "sex", "complaint", "age_years"]
            )
            writer.writerows(cases(rows, setting))


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            presentations="table of presentations",
            ed="table of ED cases to write",
            primary="table of primary-care cases to write",
        ),
    )
