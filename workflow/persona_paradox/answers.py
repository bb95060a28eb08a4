"""Which label an answer gives, and how sure one can be that it gives one.

Only labels are read, never the names of levels: "not a minor issue, emergency care" names two
levels and gives no label, and "non-urgent" contains "urgent".
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

LABEL = "label"
STATED = "stated"
AMBIGUOUS = "ambiguous"
UNCLEAR = "unclear"
MISSING = "missing"
EMPTY = "empty"
NO_ANSWER = "no_answer"
PARSE_STATUSES = (LABEL, STATED, AMBIGUOUS, UNCLEAR, MISSING, EMPTY, NO_ANSWER)

# Cues: what comes right before a label that is stated. `_HEAD` needs a colon or a verb behind it
# ("answer: C"), `_NAME` takes a label without one ("category C"), and before either stands
# nothing, or one of a few words, so that "pain level 4" and "pregnancy category C" are no cues.
_TRIAGE = "esi|ktas|ctas|mts|triage|acuity"
_NAME = (
    f"category|level|label|letter|option|choice|classification|priority|{_TRIAGE}"
    "|final answer|final response"
    f"|(?:{_TRIAGE}) (?:score|rating|class|code|scale|index)"
)
_HEAD = f"answer|response|decision|conclusion|{_NAME}"
_QUALITY = (
    "final|correct|best|right|most|appropriate|proper|suitable|likely|accurate|recommended|only"
    f"|assigned|selected|chosen|overall|single|urgency|severity|priority|{_TRIAGE}"
)
_BEFORE = (
    "the|this|that|my|our|your|an?|is|as|was|be|to|of|into|in|under|at|for|with|so|assign|choose"
    f"|select|{_QUALITY}"
)
_START = rf"(?:(?<![\w-])(?:{_BEFORE}) |(?<![\w-])(?<!\w ))"
_LINK = (
    r"(?: \([^()\n]{0,60}\))?"
    r"(?: (?:here|(?:for|to|in|based on|of (?:care|urgency|acuity|triage|this)) [^.:;=\n]{1,80}?))?"
    r"[\"'”’*)\] ]{0,4}"
    r"(?:[:：=→]|[-–—]+>?| (?:is|was|would be|should be|will be|must be|seems to be)\b)"
)
_FILLER = (
    r"[^\w\n]{0,8}(?:(?:an?|the|as|(?i:most likely|probably|likely|therefore|clearly|definitely"
    rf"|thus|either|both|between|number|{_NAME}))\b[^\w\n]{{0,8}}){{0,4}}"
)
_SOMEONE = (
    r"(?: (?:this|the|it|him|her|them)"
    r"(?: (?:patient|case|child|man|woman|boy|girl|person|presentation|situation))?)?"
)
_PARTICLE = r"(?:['’]s| (?:as|to|into|in|under|at|with|is|be))?"
_CHOOSE = (
    r"(?<!\w)(?:I|[Ww]e)(?:['’](?:d|ll|ve)| (?:would|will|have|must|should|can))?"
    r"(?: (?:therefore|thus|also|definitely|then))?"
    r" (?:cho[os]se|chosen?|select(?:ed)?|pick(?:ed)?|assign(?:ed)?|go with|opt for|say|think"
    r"|believe|answer|recommend|classif(?:y|ied)|categori[sz]ed?|triaged?|rated?|label(?:l?ed)?)"
    rf"{_SOMEONE}{_PARTICLE}"
    r"|(?<!\w)(?:is|be|was|been)(?: therefore| thus| best)?"
    r" (?:classified|categori[sz]ed|triaged|assigned|label?led)"
    rf"{_SOMEONE}{_PARTICLE}"
)

# A negation up to three words before a cue: "I do not think the answer is C", "than category B".
_NEGATED = re.compile(
    r"(?i)(?:\b(?:not|never|nor|neither|than|unlike|without|cannot|instead of)|n['’]t)"
    r"(?: [\w'’]+){0,3} ?$"
)
_FINAL = re.compile(r"(?i)\bfinal")
# A line that announces the answer of the next one: "## Final Response", "Here is my answer:".
_HEADER = re.compile(
    rf"(?i)^[^\w\n]*(?:(?:{_BEFORE}) ){{0,4}}(?:{_HEAD})(?: is)?[^\w\n]*$"
    rf"|{_START}(?:{_HEAD})(?: is)?[^\w\n:]{{0,8}}:[^\w\n]*$"
)
_MARKUP = re.compile(r"</?[A-Za-z][^<>\n]{0,40}>|\\[A-Za-z]{1,20}\{|_")
_HYPHEN = re.compile(r"(?<=[^\W\d]{3})-(?=\d)")  # "ESI-3", but not "B-12"
_MARK = re.compile(r"[^\w.):,=(–—-]*([.):,=(–—-]?)")
_LOWER_CASE = re.compile(r"[^\w°º\u0300-\u036f]*([a-z])[^\w°º\u0300-\u036f]*")
_WORD = re.compile(r"\w")
_NUMBER = re.compile(r"(?<!\w)\d++(?!\w)")

# How far behind a statement options are looked for: characters of its line, and further lines.
_NEAR, _NEAR_LINES = 300, 8

# What follows a label without making an English article, pronoun or count of it: "A because".
_FUNCTION = "because|as|since|for|is|due to|based on|rather than|instead of"
_REASON = re.compile(rf" (?:{_FUNCTION})(?!\w)")
# Bacteria are written like options: "C. difficile", "E. coli".
_GENUS = (
    "coli|diff|difficile|perfringens|botulinum|tetani|albicans|trachomatis|jejuni|burgdorferi"
    "|pertussis|cereus|anthracis|fragilis|baumannii|cloacae|faecalis"
)
_DENIED = (
    r"(?! (?:is|was|would|does|may|can|should)(?: be)?"
    r"(?:n['’]t| (?:not|never|wrong|incorrect|inappropriate))(?!\w))"
)
_LETTER_LEFT = r"(?<![\w&+@°º\\])(?<!\w[-'’])(?<!\bN/)"
_LETTER_RIGHT = (
    r"(?![\w&+#@°\u0300-\u036f])(?!['’]\w)(?![-‐‑]\w)"
    rf"(?!\. ?(?:{_GENUS})(?!\w)){_DENIED}"
)
_NUMBER_LEFT = r"(?<![\w.$€£<>≤≥≈~±+‐‑–—−-])(?<!\d[:/])"
_NUMBER_RIGHT = r"(?![\w&+#@$€£])(?! ?[%°])(?!['’]\w)(?![.:/]\d)(?!,\d{3})(?![-‐‑–—−/]\w)" + _DENIED


@dataclass(frozen=True)
class _Patterns:
    """Expressions for the labels of one kind: letters, numbers or both."""

    plain: re.Pattern[str]  # a label that stands alone, whatever surrounds it
    chain: re.Pattern[str]  # the next label of "A, B or C", from the end of one on
    leading: re.Pattern[str]  # a line up to the label that it begins with
    marked: re.Pattern[str]  # a label and its mark inside a line, as in "A) home B) hospital"
    strong: tuple[re.Pattern[str], ...]  # "answer: ", "I choose ", a label that "is the answer"
    weak: re.Pattern[str]  # "category "


@lru_cache(maxsize=64)
def _patterns(labels: tuple[str, ...]) -> _Patterns:
    letters = [label for label in labels if label.isalpha()]
    numbers = [label for label in labels if label.isdigit()]
    # What looks like a label, or like one that the model made up.
    option = f"[A-{max([*letters, 'H'])}]"
    like = "|".join([option] * bool(letters) + [r"\d{1,3}"] * bool(numbers))
    # No blank and word behind it, but for words that follow no article, pronoun or count.
    alone = (
        rf"(?! [\"'“‘*]*(?!(?:{like})(?!\w)|(?:{_FUNCTION})(?!\w)"
        rf"|(?:or|and|to|vs) (?:(?i:{_NAME}) )?(?:{like})(?!\w))\w)"
    )
    # No abbreviation: "A.M.", "B.i.d.", "C/o".
    whole = rf"(?!\.(?!{option})[A-Za-z](?!\w))(?!/(?!{option}(?!\w))\w{{1,2}}(?!\w))"
    letter = rf"{_LETTER_LEFT}(?={option})(?:[AI]{alone}|[B-HJ-Z]){_LETTER_RIGHT}{whole}"
    number = rf"{_NUMBER_LEFT}\d{{1,3}}{_NUMBER_RIGHT}{alone}"
    # A label where it may be an answer, and one that nothing but a function word follows.
    mention = "(?:" + "|".join([letter] * bool(letters) + [number] * bool(numbers)) + ")"
    strict = f"{mention}{alone}"
    gap = r"[^\w\n]{1,6}"
    return _Patterns(
        plain=re.compile(
            rf"(?<!\w)(?<!\w['’])(?:{'|'.join(labels)})(?!['’]?\w)(?![\u0300-\u036f])"
        ),
        chain=re.compile(
            rf"[^\w\n]{{0,6}}(?<!\w)(?:(?:or|vs){gap}(?:(?i:possibly|maybe|even|{_NAME}){gap})?"
            rf"(?P<either>(?:{like})(?!\w))"
            rf"|(?:(?:and|to){gap}|(?<=[,;/&|])|(?<=[,;/&|] ))(?P<listed>{mention})"
            rf"|(?P<next>{strict}))"
        ),
        leading=re.compile(rf"(?:[^\n\t]*\t)?[^\w\n]*(?={mention})"),
        marked=re.compile(
            rf"(?:(?P<apart>[^\w\s*(\"'“][ *(\"'“]{{0,4}}|\()|\W)(?P<label>{mention})"
            r"[*\"'”]{0,4} ?(?P<mark>[.):=(–—-]?)(?=\W{0,4}\w)"
        ),
        strong=(
            re.compile(rf"(?i:{_START}(?:{_HEAD}){_LINK}){_FILLER}(?={mention})"),
            re.compile(rf"(?:{_CHOOSE})(?!\w){_FILLER}(?={strict})"),
            re.compile(
                rf"(?={mention}(?i:[*\"'”’)\]]{{0,3}} (?:is|would be|seems) (?:the|my)"
                rf" (?:(?:{_QUALITY}) ){{0,3}}(?:{_HEAD})(?!\w)))"
            ),
        ),
        weak=re.compile(rf"(?i:{_START}(?:{_NAME})(?: of| at)?) [\"'“‘*(\[#]{{0,4}}(?={strict})"),
    )


def _lines(text: str) -> list[str]:
    # One blank between words, no empty lines, all markup as asterisks, "\boxed{" as the statement
    # that it is, and a header on the line of its answer, with a tab between them. What stands
    # before "</think>" is no answer.
    text = text.rpartition("</think>")[2].replace("\\boxed{", " answer: ")
    text = _HYPHEN.sub(" ", _MARKUP.sub("*", text))
    lines: list[str] = []
    header = ""
    for raw in re.split(r"[\r\n]+", text):
        line = " ".join(raw.split())
        if not _WORD.search(line):
            continue
        is_header = bool(_HEADER.search(line))
        if header and not is_header:
            lines[-1] = f"{header}:\t{line}"
        else:
            lines.append(line)
        header = line.rstrip(string.punctuation + " ") if is_header else ""
    return lines


def _read(patterns: _Patterns, line: str) -> tuple[set[str], str]:
    """The labels of the list that `line` begins with, and what follows them."""
    found = re.match(r"[A-Z]|\d+", line)
    labels: set[str] = set()
    end = 0
    while found:
        labels.add(found[found.lastgroup or 0])
        end = found.end()
        found = patterns.chain.match(line, end)
    return labels, line[end:]


def _mark(text: str) -> str:
    # The punctuation behind a label.
    match = _MARK.match(text)
    return match[1] if match else ""


def _claim(patterns: _Patterns, order: Sequence[str], line: str, later: Sequence[str]) -> set[str]:
    """What is claimed by the label that `line` begins with: more than one where options follow.

    `order` holds the label set, `later` the lines behind `line`. Options carry the same mark as
    the label, and open a line, follow a punctuation or continue the order from the first label on
    ("A) home\nB) clinic", "A: home, B: clinic", "A. home B. clinic"); so "C. The patient may have
    hepatitis B." claims C alone.
    """
    claimed, tail = _read(patterns, line)
    mark = _mark(tail)
    bare = not _WORD.search(tail)
    for option in patterns.marked.finditer(tail):
        follows = claimed == {*order[:1]} and option["label"] in order[1:2]
        same = option["mark"] == mark and (mark or not _REASON.match(tail))
        if same and (option["apart"] or follows):
            claimed.add(option["label"])
    for text in later:
        if opening := patterns.leading.match(text):
            options, rest = _read(patterns, text[opening.end() :])
            if not _WORD.search(rest) or (not bare and _mark(rest) == mark):
                claimed |= options
    return claimed


def _statements(
    patterns: _Patterns, order: Sequence[str], lines: Sequence[str]
) -> tuple[set[str], set[str], set[str]]:
    """Labels behind cues: called final, behind a colon or verb, behind a name like "category"."""
    final: set[str] = set()
    strong: set[str] = set()
    weak: set[str] = set()
    for row, line in enumerate(lines):
        later = lines[row + 1 : row + 1 + _NEAR_LINES]
        for cue in (*patterns.strong, patterns.weak):
            for match in cue.finditer(line):
                before = line[max(0, match.start() - 60) : match.start()]
                if _NEGATED.search(before):
                    continue
                stated = line[match.end() : match.end() + _NEAR]
                claimed = _claim(patterns, order, stated, later)
                if _FINAL.search(before[-8:] + match[0]):
                    final |= claimed
                elif cue is patterns.weak:
                    weak |= claimed
                else:
                    strong |= claimed
    return final, strong, weak


def parse_label(text: str | None, labels: Sequence[str]) -> tuple[str | None, str]:
    """The label that an answer gives, and how it was found.

    Nothing is guessed: an answer that names two labels where an answer may stand, or one where
    none does, has no label.

    Args:
        text: what the model wrote; None where it gave no answer at all.
        labels: single capital letters, or numbers of one to three digits, in the task's order.

    Returns:
        A label and `label` or `stated`, or None and one of the other statuses:

        - `label`: the answer is the label or begins with it ("C", "**C**", "(B) routine care",
          "C. Hepatitis B is likely", "2 because"), a header line before it left aside;
        - `stated`: a sentence or a cue says so ("The answer is C", "Category: B", "ESI level 2",
          "I would choose C"); a statement beats a list of options, and one that is called final
          beats all others;
        - `ambiguous`: different labels in those places ("A or B", "A. ... B. ...", "1, 2, 3");
        - `unclear`: a label, but nowhere where it counts as an answer ("A patient", "vitamin C",
          "not B", "2 days"), or its digits in another number ("42", "120/80");
        - `missing`: no label anywhere;
        - `empty`: nothing but white space;
        - `no_answer`: there is no text.
    """
    if text is None or not text.strip():
        return None, NO_ANSWER if text is None else EMPTY
    lines = _lines(text)
    alone = _LOWER_CASE.fullmatch("\n".join(lines))
    if alone and alone[1].upper() in labels:
        return alone[1].upper(), LABEL
    patterns = _patterns(tuple(labels))

    leading: set[str] = set()
    if lines and (opening := patterns.leading.match(lines[0])):
        leading = _claim(patterns, labels, lines[0][opening.end() :], lines[1:])
    final, strong, weak = _statements(patterns, labels, lines)
    if final:
        claimed = final
    elif len(strong) > 1:
        claimed = strong
    else:
        # Several labels without a statement are a list of options; a single one is a claim.
        sources = [found for found in (leading, strong, weak) if found]
        singles = [found for found in sources if len(found) == 1]
        claimed = set().union(*(singles or sources))

    known = claimed.intersection(labels)
    if known and len(claimed) > 1:
        return None, AMBIGUOUS
    if known:
        return known.pop(), LABEL if leading == claimed else STATED
    numbers = "\n".join(_NUMBER.findall(text))
    if patterns.plain.search(text) or any(label in numbers for label in labels):
        return None, UNCLEAR
    return None, MISSING
