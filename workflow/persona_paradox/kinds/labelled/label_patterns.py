"""Expressions for the labels of a set, where they stand as an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .cues import ABROAD, CATEGORY_ABROAD, CHOOSE, FILLER, HEAD, LINK, NAME, QUALITY, START

# What takes back the label before it, or leaves it open, in front of another.
_REVISED = (
    "no|nope|wait|hmm|sorry|actually|correction|corrected|revised|changed|raised|lowered|upgraded"
    "|downgraded|possibly|perhaps|maybe|probably|(?:could|should|may|might|must) be"
)

# What follows a label without making an English article, pronoun or count of it: "A because".
_FUNCTION = (
    "because|as|since|for|is|due to|based on|rather than|instead of"
    "|weil|denn|porque|parce que|puisque|perché|потому"
)
REASON = re.compile(rf" (?:{_FUNCTION})(?!\w)")
# Species are written like options: "C. difficile", "A. fumigatus"; options are in small letters,
# too ("C. emergency care"). So species are known by endings that no other words have, and by name.
_SPECIES = (
    r"[a-z]{3,}(?:ii|iae|ensis|oides|icola|phila|philus|lyticus|lytica|troph(?:a|icus)|formis)"
    "|coli|diff|difficile|perfringens|botulinum|tetani|albicans|auris|glabrata|tropicalis|krusei"
    "|parapsilosis|trachomatis|psittaci|jejuni|fetus|burgdorferi|pertussis|parapertussis|cereus"
    "|anthracis|fragilis|baumannii|cloacae|faecalis|faecium|aureus|epidermidis|saprophyticus"
    "|lugdunensis|pneumoniae|pyogenes|viridans|mitis|mutans|bovis|meningitidis|gonorrhoeae"
    "|influenzae|ducreyi|vaginalis|aeruginosa|cepacia|mirabilis|vulgaris|marcescens|freundii"
    "|aerogenes|oxytoca|typhi|typhimurium|enterica|enteritidis|dysenteriae|flexneri|sonnei"
    "|cholerae|vulnificus|pylori|monocytogenes|diphtheriae|leprae|tuberculosis|avium|marinum"
    "|abscessus|israelii|asteroides|fumigatus|flavus|niger|terreus|neoformans|gattii|immitis"
    "|capsulatum|jirovecii|falciparum|vivax|malariae|ovale|knowlesi|gondii|parvum|hominis"
    "|histolytica|lamblia|duodenalis|cruzi|brucei|donovani|lumbricoides|stercoralis|vermicularis"
    "|trichiura|duodenale|mansoni|haematobium|saginata|solium|granulosus|canis|scabiei|burnetii"
    "|henselae|quintana|pestis|pseudotuberculosis|enterocolitica|tularensis|pallidum|interrogans"
    "|rickettsii|prowazekii|acnes|jeikeium|hydrophila|pneumophila|catarrhalis"
)
# What a primary survey begins with: "A: Airway is patent".
_SURVEY = (
    r"(?!\W{1,6}[Aa]irway(?:\W{0,4}(?:$|[\n:–—-])"
    r"| (?:is|are|and|patent|clear|open|intact|secure|maintained)(?!\w)))"
)
# What says of the label before it that it is not the answer, or what it stands for: "C is ruled
# out", "A (incorrect)", "C: No", "Level 1 (resuscitation)? No", "Category A is for emergencies".
_NO = "no|wrong|incorrect|false|rejected|excluded|eliminated|ruled out|unlikely|inappropriate"
_DENIED = (
    r"(?!(?i:[*\"'”’)\]]{0,3}(?: \([^()\n]{0,60}\))?(?:"
    r" (?:is|was|would|does|may|can|could|should|must|seems|appears)(?: to)?(?: be)?"
    rf"(?:n['’]t| (?:not|never|too|{_NO}|(?:less|least) (?:likely|appropriate|suitable)|unsafe"
    r"|tempting|defined|for(?! (?:th|h|sure|certain|now))))(?!\w)"
    r"| (?:cannot|means)(?!\w)"
    rf"| ?[:=–—-]+ ?(?:{_NO}|not (?:appropriate|applicable|correct|needed))(?=\W*$|[.,;)\"'])"
    r"|\?[^\w\n]{1,4}\w|[^\w\n]{0,3}[✗✘❌])"
    rf"| \((?!no )(?:{_NO}|verbal|motor|eyes?)(?!\w)))"
)
# Words that a letter is part of: "D dimer", "B cells".
_TERM = (
    "dimers?|spine|sections?|peptide|reactive|cells?|symptoms|strep|lymphocytes?|fibers?|fibres?"
)
# "I, as a doctor, ...", "I - as a nurse -".
_PRONOUN = r"(?! ?[,–—-] ?(?:as|am|who|being|personally|for one|would|too)(?!\w))"
_LETTER_LEFT = r"(?<![\w&+@°º\\])(?<!\w[-'’])(?<!\bN/)"
_LETTER_RIGHT = (
    r"(?![\w&+#@°\u0300-\u036f])(?!['’]\w)(?![-‐‑]\w)"
    rf"(?!(?:\. ?| )(?:{_SPECIES})(?!\w))(?! (?i:{_TERM})(?!\w)){_DENIED}"
)
_NUMBER_LEFT = r"(?<![\w.$€£<>≤≥≈~±+‐‑–—−-])(?<!\d[:/])(?<![<≤≥] )(?<![\w:] > )"
_NUMBER_RIGHT = r"(?![\w&+#@$€£])(?! ?[%°])(?!['’]\w)(?![.:/]\d)(?!,\d{3})(?![-‐‑–—−/]\w)" + _DENIED


@dataclass(frozen=True)
class Patterns:
    """Expressions for the labels of one kind: letters, numbers or both."""

    plain: re.Pattern[str]  # a label that stands alone, whatever surrounds it
    chain: re.Pattern[str]  # the next label of "A, B or C", from the end of one on
    revised: re.Pattern[str]  # what comes before a label that takes another's place: "Actually, "
    leading: re.Pattern[str]  # a line up to the label that it begins with
    marked: re.Pattern[str]  # a label and its mark inside a line, as in "A) home B) hospital"
    strong: tuple[re.Pattern[str], ...]  # "answer: ", "I choose ", a label that "is the answer"
    weak: re.Pattern[str]  # "category "


@lru_cache(maxsize=64)
def patterns_of(labels: tuple[str, ...]) -> Patterns:
    """The expressions for the labels of a task."""
    letters = [label for label in labels if label.isalpha()]
    numbers = [label for label in labels if label.isdigit()]
    # What looks like a label, or like one that the model made up.
    option = f"[A-{max([*letters, 'H'])}]"
    like = "|".join([option] * bool(letters) + [r"\d{1,3}"] * bool(numbers))
    # No blank and word behind it, but for words that follow no article, pronoun or count.
    # "3 of 5", where the labels are levels up to 5.
    of = (
        rf"|(?:out )?of {max(numbers, key=int)}(?!\w)(?! (?!(?:{_FUNCTION})(?!\w))\w)"
        if numbers
        else ""
    )
    alone = (
        rf"(?! [\"'“‘*]*(?!(?:{like})(?!\w)|(?:{_FUNCTION})(?!\w){of}"
        rf"|(?:or|and|to|vs) (?:(?i:{NAME}) )?(?:{like})(?!\w))\w)"
    )
    # No abbreviation: "A.M.", "B.i.d.", "C/o".
    whole = rf"(?!\.(?!{option})[A-Za-z](?!\w))(?!/(?!{option}(?!\w))\w{{1,2}}(?!\w))"
    letter = (
        rf"{_LETTER_LEFT}(?={option})(?:A{_SURVEY}{alone}|I{_PRONOUN}{alone}|[B-HJ-Z])"
        rf"{_LETTER_RIGHT}{whole}"
    )
    number = rf"{_NUMBER_LEFT}\d{{1,3}}{_NUMBER_RIGHT}{alone}"
    # A label where it may be an answer, and one that nothing but a function word follows.
    mention = "(?:" + "|".join([letter] * bool(letters) + [number] * bool(numbers)) + ")"
    strict = f"{mention}{alone}"
    gap = r"[^\w\n]{1,6}"
    return Patterns(
        plain=re.compile(
            rf"(?<!\w)(?<!\w['’])(?:{'|'.join(labels)})(?!['’]?\w)(?![\u0300-\u036f])"
        ),
        chain=re.compile(
            rf"[^\w\n]{{0,6}}(?<!\w)(?:(?:or|vs){gap}(?:(?i:possibly|maybe|even|{NAME}){gap})?"
            rf"(?P<either>(?:{like})(?!\w))"
            rf"|(?:(?:and|to){gap}|(?<=[,;/&|])|(?<=[,;/&|] ))(?P<listed>{mention})"
            rf"|(?P<next>{strict}))"
        ),
        revised=re.compile(
            rf"[^\w\n]{{0,6}}(?<!\w)(?:(?i:{_REVISED})(?!\w)[^\w\n]{{1,6}}){{1,3}}"
            rf"(?:(?i:it|it['’]s|that|this|is|to|be|should|an?|the|answer|{NAME})(?!\w)"
            rf"[^\w\n]{{1,4}}){{0,5}}(?={strict})"
        ),
        # A row of a table whose first cell is a label is no answer.
        leading=re.compile(
            rf"(?!\|[^\w\n]*\w{{1,3}}[^\w\n|]*\|[^\w\n]*\w)(?:[^\n\t]*\t)?[^\w\n]*(?={mention})"
        ),
        marked=re.compile(
            rf"(?:(?P<apart>[^\w\s*(\"'“][ *(\"'“]{{0,4}}|\()|\W)(?P<label>{mention})"
            r"[*\"'”]{0,4} ?(?P<mark>[.):=(–—-]?)(?=\W{0,4}\w)"
        ),
        strong=(
            re.compile(rf"(?i:{START}(?:{HEAD}){LINK}){FILLER}(?={mention})"),
            re.compile(rf"(?:{CHOOSE})(?!\w){FILLER}(?={strict})"),
            re.compile(
                rf"(?={mention}(?i:[*\"'”’)\]]{{0,3}} (?:is|would be|seems) (?:the|my)"
                rf" (?:(?:{QUALITY}) ){{0,3}}(?:{HEAD})(?!\w)))"
            ),
            re.compile(
                rf"(?i:{ABROAD})[^\w\n]{{0,8}}(?:(?i:{CATEGORY_ABROAD}|opción|opção|选项|選項"
                rf"|{NAME})[^\w\n]{{0,4}})?(?={strict})"
            ),
        ),
        weak=re.compile(rf"(?i:{START}(?:{NAME})(?: of| at)?) [\"'“‘*(\[#]{{0,4}}(?={strict})"),
    )
