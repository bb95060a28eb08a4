"""Who the patient of a case is, as its text says: age, sex and ethnicity, by patterns of our own.

A rule that cannot tell a mention from one of somebody else leaves the case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# How an age in years is written: 45-year-old, 45 year old, 45 years old, aged 45, age of 45,
# 45 y/o, 45yo, and the field “Age: 45 years”.
_AGE = re.compile(
    r"\b(?P<old>\d{1,3})(?=[- ]years?[- ]old\b| years of age\b|-? ?(?:y/o|y\.o\.|yo)(?!\w))"
    r"|\b[Aa]ged?:? (?:of )?(?P<aged>\d{1,3})\b(?! ?(?:months?|weeks?|days?|%|/))"
)
_INFANT = re.compile(
    r"\b(?:newborn|neonat\w*|infant|\w+[- ](?:month|week|day|hour)s?[- ]old)\b", re.IGNORECASE
)
ADULT = 18


@dataclass(frozen=True)
class Age:
    """The age of the patient, and where it stands.

    Attributes:
        years: as the first mention says.
        places: of every mention of this number: first and last place.
        behind: where the words behind the first mention begin, such as “man” of “45-year-old man”;
            None where it is no adjective.
        line: where the line of a field “Age” ends, None where there is none.
    """

    years: int
    places: tuple[tuple[int, int], ...]
    behind: int | None
    line: int | None


def age_of(case: str) -> Age | str:
    """The patient's age, or why it is not known for sure.

    The first age is the patient's, and so is every later mention of the same number; other ages
    are those of others, or of the past.
    """
    mentions = [(int(m["old"] or m["aged"]), m) for m in _AGE.finditer(case)]
    if not mentions:
        return "the case has no age in years"
    infant = _INFANT.search(case)
    years, first = mentions[0]
    if infant is not None and infant.start() < first.start():
        return "the patient is an infant"
    if years < ADULT:
        return "the patient is a child"
    places = [m.span("old" if m["old"] else "aged") for one, m in mentions if one == years]
    adjective = re.compile(r"[- ]years?[- ]old (?=[a-z])").match(case, places[0][1])
    field = re.compile(r"^Age: .*$", re.MULTILINE).search(case)
    return Age(
        years, tuple(places), adjective and adjective.end(), None if field is None else field.end()
    )


# Words for the patient, and for nobody else.
_HEADS = (
    "man|woman|male|female|gentleman|lady|patient|boy|girl|adult|person|teenager|adolescent"
    "|student|teacher|nurse|farmer|worker|immigrant"
)
_WORDS = (
    "African[- ]American|Afro-?[- ]?Caribbean|African|Black|White|Caucasian|European|Asian"
    r"(?:[- ]American)?|East Asian|South Asian|Chinese|Japanese|Korean|Vietnamese|Filipino|Indian"
    "|Pakistani|Hispanic|Latino|Latina|Latin American|Mexican|Puerto Rican|Native American"
    "|American Indian|Middle[- ]Eastern|Arab|Jewish|Ashkenazi Jewish|Pacific Islander"
)
_ETHNICITY = re.compile(
    rf"\b(?:{_WORDS}|black|white|caucasian|hispanic|latino|latina)(?:[- ](?:American|origin))? "
    rf"(?=(?:[a-z]+ )?(?:{_HEADS})\b)"
)
# A word for an ethnicity that stands elsewhere.
_ELSEWHERE = re.compile(
    r"\b(?:African[- ]American|Caucasian|Hispanic|Latin[oa]|Ashkenazi|descent|ethnicity|ancestry"
    r"|immigrat\w+|(?:Chinese|Japanese|Korean|Indian|Mexican|Asian|African) (?:origin|heritage))\b",
    re.IGNORECASE,
)


def without_ethnicity(case: str) -> tuple[str, list[str]]:
    """A case without words for an ethnicity before a word for the patient, and these words."""
    found = [match[0].strip() for match in _ETHNICITY.finditer(case)]
    return _ETHNICITY.sub("", case), found


def speaks_of_ethnicity(case: str) -> bool:
    """Whether a case speaks of ethnicity in other words than those that can be taken out."""
    return _ELSEWHERE.search(case) is not None


FEMALE, MALE = "female", "male"
# Pairs of words for the patient; those for relatives stay.
PAIRS = (
    ("woman", "man"),
    ("women", "men"),
    ("female", "male"),
    ("females", "males"),
    ("girl", "boy"),
    ("girls", "boys"),
    ("lady", "gentleman"),
    ("she", "he"),
    ("herself", "himself"),
    ("hers", "his"),
    ("her", "his"),
    ("her", "him"),
    ("ms.", "mr."),
    ("mrs.", "mr."),
)
# Content that goes with one sex, so that nothing is changed.
_BOUND = re.compile(
    r"pregnan|gravid|\bpara \d|\bG\d+ ?P\d+|menstru|\bmenses|menopaus|menarche|amenorrh|\buter"
    r"|\bovar|vagin|\bcervix|cervical (?:cancer|smear|motion|os\b|intraepi|cytolog|discharge)"
    r"|\bpap\b|breast|lactat|mammogra|prostat|\btestic|\btestes|\btestis|scrot|\bpenis|penile"
    r"|erectile|erection|ejaculat|\bsperm|semen|impoten|hysterect|contracept|birth control"
    r"|obstet|gyn(?:a?e)?col|miscarri|abortion|\blabor\b|\blabour\b|vulv|\blabia|endometri"
    r"|fallopian|eclampsia|o?estrogen|testosterone|foreskin|circumcis|vasectom"
    r"|\bdeliver(?:ed|y) (?:a|of)|postpartum|gestation|polycystic|fibroid|turner|klinefelter"
    r"|x-linked|hypospad|cryptorch|gynecomast|hormone replacement|fertil|\btampon|transgender"
    r"|sex with|maternal|paternal",
    re.IGNORECASE,
)
_WORDS_OF_SEX = sorted({re.escape(word) for pair in PAIRS for word in pair}, key=len, reverse=True)
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS_OF_SEX)})(?!\w)", re.IGNORECASE)
# What follows an “her” that is an object; before any other word it is a possessive.
_OBJECT = re.compile(
    r"\s*(?:[.,;:?!)\"”’]|$)|\s+(?:to|in|on|at|with|and|or|but|because|that|who|which|is|was|for|from|as|by"
    r"|if|when|while|since|today|yesterday|after|before|during|about|of|into|off|out|up|down|over|the|a"
    r"|an|this|these|again|not|alone|until|without|due)\b",
    re.IGNORECASE,
)


def sex_of(text: str) -> str | None:
    """The sex that all words of a text are of; None where there are none, or words of both."""
    said = {word[0].lower() for word in _WORD.finditer(text)}
    female = bool(said & {pair[0] for pair in PAIRS})
    male = bool(said & {pair[1] for pair in PAIRS})
    if female == male:
        return None
    return FEMALE if female else MALE


def goes_with_sex(text: str) -> str | None:
    """The first words of a text that go with one sex."""
    found = _BOUND.search(text)
    return None if found is None else found[0]


def with_sex(text: str, sex: str) -> str:
    """A text in the words of the other sex, which all its words are not of yet."""

    def other(match: re.Match[str]) -> str:
        said = match[0]
        low = said.lower()
        if sex == FEMALE:
            # “His” before a word is “her”; alone it is “hers”.
            alone = _OBJECT.match(text, match.end()) is not None
            words = {pair[1]: pair[0] for pair in reversed(PAIRS)} | {"mr.": "ms."}
            words |= {"his": "hers" if alone else "her", "him": "her"}
        else:
            words = {pair[0]: pair[1] for pair in PAIRS}
            words["her"] = "him" if _OBJECT.match(text, match.end()) else "his"
        new = words[low]
        return new.capitalize() if said[0].isupper() else new

    return _WORD.sub(other, text)
