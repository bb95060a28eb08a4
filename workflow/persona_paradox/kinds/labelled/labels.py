"""Which label an answer gives, and how sure one can be that it gives one.

Only labels are read, never the names of levels: "not a minor issue, emergency care" names two
levels and gives no label, and "non-urgent" contains "urgent".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...prompting.thinking import behind_thoughts
from .cues import FINAL, FINAL_BEFORE, NEGATED, OTHERS
from .label_patterns import REASON, Patterns, patterns_of
from .plain_text import WORD, lines_of, plain, with_capital

LABEL = "label"
STATED = "stated"
AMBIGUOUS = "ambiguous"
UNCLEAR = "unclear"
MISSING = "missing"
EMPTY = "empty"
THOUGHT = "thought"
NO_ANSWER = "no_answer"
PARSE_STATUSES = (LABEL, STATED, AMBIGUOUS, UNCLEAR, MISSING, EMPTY, THOUGHT, NO_ANSWER)
_MARK = re.compile(r"[^\w.):,=(–—-]*([.):,=(–—-]?)")
_LOWER_CASE = re.compile(r"[^\w°º\u0300-\u036f]*([a-z])[^\w°º\u0300-\u036f]*")
_NUMBER = re.compile(r"(?<!\w)\d++(?!\w)")
# A line that announces why something is the answer, and other labels are not.
_EXPLAINS = re.compile(
    r"(?i)^[^\w\n]{0,20}(?:(?:explanation|rationale|reasoning|reasons?|justification|analysis)"
    r"[^\w\n]{0,8}$|(?:[^\n]{0,80}\W)?"
    r"(?:why|others?|incorrect|wrong|explanation|rationale|reasoning|justification)(?!\w)"
    r"[^\n:]{0,80}:[^\w\n]{0,8}$)"
)

# How far behind a statement options are looked for: characters of its line, and further lines.
_NEAR, _NEAR_LINES = 300, 8


def _read(patterns: Patterns, line: str) -> tuple[set[str], str]:
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


def _claim(
    patterns: Patterns,
    order: Sequence[str],
    line: str,
    later: Sequence[str],
    stated: bool = False,
) -> set[str]:
    """What is claimed by the label that `line` begins with: more than one where options follow.

    `order` holds the label set, `later` the lines behind `line`. Options carry the same mark as
    the label, and open a line, follow a punctuation or continue the order from the first label on
    ("A) home\nB) clinic", "A: home, B: clinic", "A. home B. clinic"); so "C. The patient may have
    hepatitis B." claims C alone. Options behind a line such as "Explanation:" are none, nor are
    those behind a label that is `stated` and does not begin their list ("Answer: C. hospital\\nA.
    home: no"). A label that takes another's place ("A. Actually, B") is claimed as well.
    """
    claimed, tail = _read(patterns, line)
    mark = _mark(tail)
    bare = not WORD.search(tail)
    for option in patterns.marked.finditer(tail):
        follows = claimed == {*order[:1]} and option["label"] in order[1:2]
        same = option["mark"] == mark and (mark or not REASON.match(tail))
        if same and (option["apart"] or follows):
            claimed.add(option["label"])
    for revision in patterns.revised.finditer(tail):
        claimed |= _read(patterns, tail[revision.end() :])[0]
    listed = None if stated else True
    for text in later:
        if taken_back := patterns.revised.match(text):
            claimed |= _read(patterns, text[taken_back.end() :])[0]
        if _EXPLAINS.search(text):
            break
        if opening := patterns.leading.match(text):
            options, rest = _read(patterns, text[opening.end() :])
            if not WORD.search(rest):
                claimed |= options
            elif not bare and _mark(rest) == mark:
                if listed is None:
                    listed = _goes_on(order, claimed, options)
                claimed |= options if listed else set()
    return claimed


def _goes_on(order: Sequence[str], claimed: set[str], options: set[str]) -> bool:
    """Whether the first further options go on with a list that begins with what is claimed.

    A list goes up or down by one label. The first label behind the second is the first of those
    that are explained, not the end of a list.
    """
    if len(claimed) > 1 or not claimed.union(options).issubset(order):
        return True
    at = [label in claimed for label in order].index(True)
    return not options.isdisjoint([*order[at + 1 : at + 2], *order[max(at - 1, 1) : at]])


def _statements(
    patterns: Patterns, order: Sequence[str], lines: Sequence[str]
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
                if NEGATED.search(before) or OTHERS.search(before + match[0]):
                    continue
                behind = line[match.end() : match.end() + _NEAR]
                claimed = _claim(patterns, order, behind, later, stated=True)
                if FINAL.search(before[-8:] + match[0]) or FINAL_BEFORE.search(before):
                    final |= claimed
                elif cue is patterns.weak:
                    weak |= claimed
                else:
                    strong |= claimed
    return final, strong, weak


def _begins_list(patterns: Patterns, line: str) -> bool:
    # "1. The patient": a number that is the first of a list as well as a label.
    _, tail = _read(patterns, line)
    return line.startswith("1") and _mark(tail) in (".", ")") and bool(WORD.search(tail))


def parse_label(
    text: str | None, labels: Sequence[str], cut: bool = False
) -> tuple[str | None, str]:
    """The label that an answer gives, and how it was found.

    Nothing is guessed: an answer that names two labels where an answer may stand, or one where
    none does, has no label.

    Args:
        text: what the model wrote; None where it gave no answer at all.
        labels: single capital letters, or numbers of one to three digits, in the task's order.
        cut: whether the text ends where its longest length ended it. It is then not known whether
            "1. The patient" is the first of a list, and it is no answer.

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
        - `empty`: nothing but white space, or nothing behind a thought;
        - `thought`: the text ends inside a thought, which is no answer;
        - `no_answer`: there is no text.
    """
    if text is None or not text.strip():
        return None, NO_ANSWER if text is None else EMPTY
    said = behind_thoughts(text)
    if said is None or not said.strip():
        return None, THOUGHT if said is None else EMPTY
    return _label(with_capital(plain(said)), labels, cut)


def _label(said: str, labels: Sequence[str], cut: bool) -> tuple[str | None, str]:
    # `parse_label` of what stands behind thoughts.
    lines = lines_of(said)
    alone = _LOWER_CASE.fullmatch("\n".join(lines))
    if alone and alone[1].upper() in labels:
        return alone[1].upper(), LABEL
    patterns = patterns_of(tuple(labels))

    leading: set[str] = set()
    if lines and (opening := patterns.leading.match(lines[0])):
        first = lines[0][opening.end() :]
        leading = _claim(patterns, labels, first, lines[1:])
        if cut and len(leading) == 1 and _begins_list(patterns, first):
            leading = set()
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
    numbers = "\n".join(_NUMBER.findall(said))
    if patterns.plain.search(said) or any(label in numbers for label in labels):
        return None, UNCLEAR
    return None, MISSING
