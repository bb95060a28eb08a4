"""Words that say that a label follows which is the answer, and words that say that it is none."""

from __future__ import annotations

import re

# Cues: what comes right before a label that is stated. `HEAD` needs a colon or a verb behind it
# ("answer: C"), `NAME` takes a label without one ("category C"), and before either stands
# nothing, or one of a few words, so that "pain level 4" and "pregnancy category C" are no cues.
_TRIAGE = "esi|ktas|ctas|mts|triage|acuity"
NAME = (
    f"category|level|label|letter|option|choice|classification|priority|{_TRIAGE}"
    "|final answer|final response"
    f"|(?:{_TRIAGE}) (?:score|rating|class|code|scale|index)"
)
HEAD = f"answer|response|decision|conclusion|{NAME}"
QUALITY = (
    "final|correct|best|right|most|appropriate|proper|suitable|likely|accurate|recommended|only"
    "|answer|predicted|estimated|suggested"
    f"|assigned|selected|chosen|overall|single|urgency|severity|priority|{_TRIAGE}"
)
_BEFORE = (
    "the|this|that|my|our|your|an?|is|as|was|be|to|of|into|in|under|at|for|with|so|assign|choose"
    f"|select|{QUALITY}"
)
START = rf"(?:(?<![\w-])(?:{_BEFORE}) |(?<![\w-])(?<!\w ))"
LINK = (
    r"(?: \([^()\n]{0,60}\))?"
    r"(?: (?:here|(?:for|to|in|based on|of (?:care|urgency|acuity|triage|this)) [^.:;=\n]{1,80}?))?"
    r"[\"'”’*)\] ]{0,4}"
    r"(?:[:：=→]|[-–—]+>?| (?:is|was|would be|should be|will be|must be|seems to be)\b)"
)
FILLER = (
    r"[^\w\n]{0,8}(?:(?:an?|the|as|(?i:most likely|probably|likely|therefore|clearly|definitely"
    rf"|thus|either|both|between|number|{NAME}))\b[^\w\n]{{0,8}}){{0,4}}"
)
_SOMEONE = (
    r"(?: (?:this|the|it|him|her|them)"
    r"(?: (?:patient|case|child|man|woman|boy|girl|person|presentation|situation))?)?"
)
_PARTICLE = r"(?:['’]s| (?:as|to|into|in|under|at|with|is|be))?"
CHOOSE = (
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
CATEGORY_ABROAD = (
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
ABROAD = (
    rf"(?<![\w-])(?:{_ANSWER_ABROAD}|(?<!\w )(?:{CATEGORY_ABROAD}))(?: (?:{_QUALITY_ABROAD}))?"
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
NEGATED = re.compile(
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
OTHERS = re.compile(
    r"(?i)\b(?:nurse|physician|doctor|clinician|paramedic|colleague|user|student)s?"
    r"(?: (?:has|had|have|initially|previously|originally))?"
    r" (?:assigned|chose|selected|gave|said|suggested|rated|answered) [\w'’ ]{0,30}$"
    rf"|(?:^|[.:;!?] )\W*for (?:an? )?(?:{NAME})(?: (?:level|score|category|of)){{0,2}} $"
    r"|\bof response[^.;\n]{0,12}$|\bat most [\w ]{0,20}$"
)
FINAL = re.compile(r"(?i)\bfinal|\bdéfinitive|\bdefinitiva\b")
# "Final answer: The answer is": what is announced as final, in front of another cue.
FINAL_BEFORE = re.compile(
    rf"(?i)\bfinal (?:{HEAD})\W{{1,12}}$"
    r"|\b(?:endgültige|остаточна|окончательный|итоговый|ostateczna) $|(?:最[终終]的?|최종 ?)$"
)
# A line that announces the answer of the next one: "## Final Response", "Here is my answer:".
HEADER = re.compile(
    rf"(?i)^[^\w\n]*(?:(?:{_BEFORE}) ){{0,4}}(?:{HEAD})(?: is)?[^\w\n]*$"
    rf"|{START}(?:{HEAD})(?: is)?[^\w\n:]{{0,8}}:[^\w\n]*$"
    rf"|^[^\w\n]*(?:{_ANSWER_ABROAD}|{_ANSWER_EAST})(?: (?:{_QUALITY_ABROAD}))?[^\w\n]*$"
    rf"|(?:(?<![\w-])(?:{_ANSWER_ABROAD})|{_ANSWER_EAST})(?: (?:{_QUALITY_ABROAD}))?"
    r"[^\w\n:]{0,8}:[^\w\n]*$"
)
