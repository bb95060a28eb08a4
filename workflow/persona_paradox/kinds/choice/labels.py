"""Which label an answer gives, and how sure one can be that it gives one.

Only labels are read, never the names of levels: "not a minor issue, emergency care" names two
levels and gives no label, and "non-urgent" contains "urgent".
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ...prompting.thinking import behind_thoughts

LABEL = "label"
STATED = "stated"
AMBIGUOUS = "ambiguous"
UNCLEAR = "unclear"
MISSING = "missing"
EMPTY = "empty"
THOUGHT = "thought"
NO_ANSWER = "no_answer"
PARSE_STATUSES = (LABEL, STATED, AMBIGUOUS, UNCLEAR, MISSING, EMPTY, THOUGHT, NO_ANSWER)

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
    "|answer|predicted|estimated|suggested"
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

# The same in other languages, always with a colon or a verb: "Antwort: C", "La respuesta correcta
# es la C", "答案是C". A word for category stands first in its line or sentence, unlike that of
# "Schmerz Stufe: 4".
_ANSWER_ABROAD = (
    "antwort|lösung|respuesta|réponse|risposta|resposta|antwoord|eindantwoord|svar|vastaus"
    "|odpowiedź|odpověď|răspuns|válasz|cevap|yanıt|jawaban|đáp án|trả lời|απάντηση|ответ|відповідь"
)
_CATEGORY_ABROAD = (
    "kategorie|stufe|categoría|nivel|catégorie|niveau|categoria|livello|nível|категория|уровень"
)
_ANSWER_EAST = (
    "答案|回答|答え|解答|正解"
    "|(?:分诊|分診|紧急|緊急) ?(?:类别|類別|级别|級別|等级|等級)"
    r"|정답|답변|(?<!\w)(?:답|جواب|پاسخ)|الإجابة|الجواب|תשובה|उत्तर|คำตอบ"
)
_QUALITY_ABROAD = (
    "finale?|correct[ae]?|corretta|correcta|correta|juste|définitive|definitiva|ostateczna"
)
_ABROAD = (
    rf"(?<![\w-])(?:{_ANSWER_ABROAD}|(?<!\w )(?:{_CATEGORY_ABROAD}))(?: (?:{_QUALITY_ABROAD}))?"
    r"(?:[\"'”’*)\] ]{0,4}[:：=→]"
    r"| (?:ist|lautet|wäre|es|sería|est|serait|è|é)(?: (?:la|le|il|die|a|o))?(?!\w))"
    rf"|(?:{_ANSWER_EAST})(?:[\"'”’*)\]】」』 ]{{0,4}}[:：=→】]"
    r"|[应應]?[该該]?(?:[为為是选選]|は|은|는)| ?(?:คือ|है|هي|هو)(?!\w))"
    r"|(?:选择|選擇|选项|選項|[选選])"
)

# A word for wrong that stands before the one for an answer.
_WRONG_ABROAD = (
    "(?:falsch|unrichtig|inkorrekt|verkehrt|foute?|verkeerd|onjuist|forkert|felaktig)[ersnt]{0,2}"
    "|mauvaise|fausse|mala|má|falsa|fel|feil|gal|väärä|zła|błędna|niepoprawna|nieprawidłowa"
    "|špatná|nesprávná|chybná|rossz|helytelen|hibás|yanlış|неправильн(?:ый|а)|неверный|ошибочный"
    "|невірна|хибна|λάθος|λανθασμένη|εσφαλμένη|गलत"
)
# A negation up to three words before a cue ("I do not think the answer is C", "than category B"),
# a condition or a definition ("if the answer is A"), or a word for wrong.
_NEGATED = re.compile(
    r"(?i)(?:\b(?:not|never|nor|neither|than|unlike|without|cannot|instead of)|n['’]t)"
    r"(?: [\w'’]+){0,3} ?$"
    r"|\b(?:nicht|keine?|pas|non|nunca|niet|nie|ikke|inte|не|нет)(?: [\w'’]+){0,3} ?$"
    r"|[不没沒未非][^，。,.;；\n]{0,8}$"
    r"|\b(?:if|whether|unless|suppose|assuming|wenn|si|se|als|om|если)"
    r"(?: (?:that|die|la|il|a|het|de))? ?$"
    r"|\bleast(?: (?:likely|appropriate|suitable))? ?$"
    r"|\b(?:definition|description|meaning)(?: of)? ?$"
    rf"|(?<!\w)(?:{_WRONG_ABROAD}) ?$|(?:错误|錯誤|错|誤|間違)(?:的|った)?$|(?:틀린|잘못된) ?$"
)
# What is no claim of the model's own: "the nurse assigned level 4", "For ESI level 3, two
# resources are needed", and what is no level of urgency: "level of response: 4".
_OTHERS = re.compile(
    r"(?i)\b(?:nurse|physician|doctor|clinician|paramedic|colleague|user|student)s?"
    r"(?: (?:has|had|have|initially|previously|originally))?"
    r" (?:assigned|chose|selected|gave|said|suggested|rated|answered) [\w'’ ]{0,30}$"
    rf"|(?:^|[.:;!?] )\W*for (?:an? )?(?:{_NAME})(?: (?:level|score|category|of)){{0,2}} $"
    r"|\bof response[^.;\n]{0,12}$|\bat most [\w ]{0,20}$"
)
_FINAL = re.compile(r"(?i)\bfinal|\bdéfinitive|\bdefinitiva\b")
# "Final answer: The answer is": what is announced as final, in front of another cue.
_FINAL_BEFORE = re.compile(
    rf"(?i)\bfinal (?:{_HEAD})\W{{1,12}}$"
    r"|\b(?:endgültige|остаточна|окончательный|итоговый|ostateczna) $|(?:最[终終]的?|최종 ?)$"
)
# A line that announces the answer of the next one: "## Final Response", "Here is my answer:".
_HEADER = re.compile(
    rf"(?i)^[^\w\n]*(?:(?:{_BEFORE}) ){{0,4}}(?:{_HEAD})(?: is)?[^\w\n]*$"
    rf"|{_START}(?:{_HEAD})(?: is)?[^\w\n:]{{0,8}}:[^\w\n]*$"
    rf"|^[^\w\n]*(?:{_ANSWER_ABROAD}|{_ANSWER_EAST})(?: (?:{_QUALITY_ABROAD}))?[^\w\n]*$"
    rf"|(?:(?<![\w-])(?:{_ANSWER_ABROAD})|{_ANSWER_EAST})(?: (?:{_QUALITY_ABROAD}))?"
    r"[^\w\n:]{0,8}:[^\w\n]*$"
)
_SNAKE = re.compile(r"(?<=[^\W\d_]{2})_(?=[^\W\d_]{2})")  # "pain_level"
_MARKUP = re.compile(r"<[/|]?[A-Za-z][^<>\n]{0,40}>|\\[A-Za-z]{1,20}\{|_")
_HYPHEN = re.compile(r"(?<=[^\W\d]{3})-(?=\d)")  # "ESI-3", but not "B-12"
_MARK = re.compile(r"[^\w.):,=(–—-]*([.):,=(–—-]?)")
_LOWER_CASE = re.compile(r"[^\w°º\u0300-\u036f]*([a-z])[^\w°º\u0300-\u036f]*")
_WORD = re.compile(r"\w")
_NUMBER = re.compile(r"(?<!\w)\d++(?!\w)")

# Scripts without blanks between words, and what they put behind a label that is an answer.
UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_GLUED = re.compile(rf"(?<=[{UNSPACED}])(?=[A-Za-z0-9])")
_COPULA = re.compile(
    r"(?<=[A-Z0-9])(?:[级級类類]|등급)?(?:です|である|だ|입니다|이다|이에요|예요)?(?![\w])"
)
# Boxes before a label, which may be crossed or not.
_CROSSED = re.compile(r"(?:\[[xX✓✔]\]|\([xX✓✔]\)|[☑☒])(?= ?\W{0,3}(?:[A-Z]|\d{1,3})(?!\w))")
_UNCROSSED = re.compile(r"(?:\[ ?\]|\( ?\)|[☐□⬜])(?= ?\W{0,3}(?:[A-Z]|\d{1,3})(?!\w))")
_OR = re.compile(
    r"(?<=[A-Za-z0-9]) ?(?:或者?|和|与|與|及|还是|還是|または|か|또는) ?"
    r"(?=[A-Za-z0-9](?![A-Za-z0-9]))"
)
# Full-width forms of ASCII, and the blank of that width.
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}

# An answer in lower case: behind a colon ("answer: c"), or first with a mark ("b) routine care").
_SMALL = re.compile(
    rf"(?:(?i:{_START}(?:{_HEAD})[\"'”’*)\] ]{{0,4}}[:：=→]|{_ABROAD})[^\w\n]{{0,8}}"
    r"(?P<stated>[a-z])(?=[\s).,:;!\"'”’*\]}]|$)(?!\.\w)"
    r"(?! (?!(?:because|as|since|due to|based on)(?!\w))\w)"
    r"|\A[^\w\n]*(?P<first>[a-z])(?:\)|\.(?= \D))(?=\W{0,4}\w))"
)
# Other small letters that may be labels, but for articles and what else a word follows.
_SMALL_OTHERS = re.compile(r"(?<![\w'’.&/-])[a-z](?![\w'’&/-])(?!\.\w)(?! \w)")

# What takes back the label before it, or leaves it open, in front of another.
_REVISED = (
    "no|nope|wait|hmm|sorry|actually|correction|corrected|revised|changed|raised|lowered|upgraded"
    "|downgraded|possibly|perhaps|maybe|probably|(?:could|should|may|might|must) be"
)
# A line that announces why something is the answer, and other labels are not.
_EXPLAINS = re.compile(
    r"(?i)^[^\w\n]{0,20}(?:(?:explanation|rationale|reasoning|reasons?|justification|analysis)"
    r"[^\w\n]{0,8}$|(?:[^\n]{0,80}\W)?"
    r"(?:why|others?|incorrect|wrong|explanation|rationale|reasoning|justification)(?!\w)"
    r"[^\n:]{0,80}:[^\w\n]{0,8}$)"
)

# How far behind a statement options are looked for: characters of its line, and further lines.
_NEAR, _NEAR_LINES = 300, 8

# What follows a label without making an English article, pronoun or count of it: "A because".
_FUNCTION = (
    "because|as|since|for|is|due to|based on|rather than|instead of"
    "|weil|denn|porque|parce que|puisque|perché|потому"
)
_REASON = re.compile(rf" (?:{_FUNCTION})(?!\w)")
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
class _Patterns:
    """Expressions for the labels of one kind: letters, numbers or both."""

    plain: re.Pattern[str]  # a label that stands alone, whatever surrounds it
    chain: re.Pattern[str]  # the next label of "A, B or C", from the end of one on
    revised: re.Pattern[str]  # what comes before a label that takes another's place: "Actually, "
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
    # "3 of 5", where the labels are levels up to 5.
    of = (
        rf"|(?:out )?of {max(numbers, key=int)}(?!\w)(?! (?!(?:{_FUNCTION})(?!\w))\w)"
        if numbers
        else ""
    )
    alone = (
        rf"(?! [\"'“‘*]*(?!(?:{like})(?!\w)|(?:{_FUNCTION})(?!\w){of}"
        rf"|(?:or|and|to|vs) (?:(?i:{_NAME}) )?(?:{like})(?!\w))\w)"
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
        revised=re.compile(
            rf"[^\w\n]{{0,6}}(?<!\w)(?:(?i:{_REVISED})(?!\w)[^\w\n]{{1,6}}){{1,3}}"
            rf"(?:(?i:it|it['’]s|that|this|is|to|be|should|an?|the|answer|{_NAME})(?!\w)"
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
            re.compile(rf"(?i:{_START}(?:{_HEAD}){_LINK}){_FILLER}(?={mention})"),
            re.compile(rf"(?:{_CHOOSE})(?!\w){_FILLER}(?={strict})"),
            re.compile(
                rf"(?={mention}(?i:[*\"'”’)\]]{{0,3}} (?:is|would be|seems) (?:the|my)"
                rf" (?:(?:{_QUALITY}) ){{0,3}}(?:{_HEAD})(?!\w)))"
            ),
            re.compile(
                rf"(?i:{_ABROAD})[^\w\n]{{0,8}}(?:(?i:{_CATEGORY_ABROAD}|opción|opção|选项|選項"
                rf"|{_NAME})[^\w\n]{{0,4}})?(?={strict})"
            ),
        ),
        weak=re.compile(rf"(?i:{_START}(?:{_NAME})(?: of| at)?) [\"'“‘*(\[#]{{0,4}}(?={strict})"),
    )


def _plain(text: str) -> str:
    """A text whose labels are those of ASCII where they are plainly meant.

    "\\boxed{" is the statement that it is, and so is a crossed box before it. Digits of all
    scripts and full-width forms are those of ASCII, and a label has a blank before it in scripts
    without blanks. Letters that look alike are not touched, nor are other signs for numbers.
    """
    text = text.replace("\\boxed{", " the answer: ")
    text = _UNCROSSED.sub(" not ", _CROSSED.sub("; the answer: ", text))
    if not text.isascii():
        text = text.translate(_HALF_WIDTH)
        text = "".join(
            c if c.isascii() or not c.isdecimal() else str(unicodedata.decimal(c)) for c in text
        )
        text = _GLUED.sub(" ", _OR.sub(" or ", _COPULA.sub("", text)))
    return text


def _capital(text: str) -> str:
    """A text with its answer as a capital letter, where it has one small letter as its answer."""
    found = list(_SMALL.finditer(text))
    letters = {match["stated"] or match["first"] for match in found}
    if len(letters) != 1 or not letters.issuperset(_SMALL_OTHERS.findall(text)):
        return text
    for match in found:
        at = match.start(match.lastgroup or 0)
        text = f"{text[:at]}{text[at].upper()}{text[at + 1 :]}"
    return text


def _lines(text: str) -> list[str]:
    # One blank between words, no empty lines, all markup as asterisks, and a header on the line of
    # its answer, with a tab between them.
    text = _HYPHEN.sub(" ", _MARKUP.sub("*", _SNAKE.sub(" ", text)))
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


def _claim(
    patterns: _Patterns,
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
    bare = not _WORD.search(tail)
    for option in patterns.marked.finditer(tail):
        follows = claimed == {*order[:1]} and option["label"] in order[1:2]
        same = option["mark"] == mark and (mark or not _REASON.match(tail))
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
            if not _WORD.search(rest):
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
                if _NEGATED.search(before) or _OTHERS.search(before + match[0]):
                    continue
                behind = line[match.end() : match.end() + _NEAR]
                claimed = _claim(patterns, order, behind, later, stated=True)
                if _FINAL.search(before[-8:] + match[0]) or _FINAL_BEFORE.search(before):
                    final |= claimed
                elif cue is patterns.weak:
                    weak |= claimed
                else:
                    strong |= claimed
    return final, strong, weak


def _begins_list(patterns: _Patterns, line: str) -> bool:
    # "1. The patient": a number that is the first of a list as well as a label.
    _, tail = _read(patterns, line)
    return line.startswith("1") and _mark(tail) in (".", ")") and bool(_WORD.search(tail))


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
    return _label(_capital(_plain(said)), labels, cut)


def _label(said: str, labels: Sequence[str], cut: bool) -> tuple[str | None, str]:
    # `parse_label` of what stands behind thoughts.
    lines = _lines(said)
    alone = _LOWER_CASE.fullmatch("\n".join(lines))
    if alone and alone[1].upper() in labels:
        return alone[1].upper(), LABEL
    patterns = _patterns(tuple(labels))

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
