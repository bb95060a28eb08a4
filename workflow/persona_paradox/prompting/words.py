"""What counts as words in a prompt, and what as the marks and dates of a template."""

from __future__ import annotations

import math
import re
import unicodedata

# So many words in a row are a message of the template's own; names of roles are shorter.
FOREIGN_WORDS = 4

# Letters that count as a word where a script has no blanks between words, or has few: so that a
# sentence is one, and the name of a role is none.
_LETTERS_A_WORD = (
    # Han and Hiragana: a word has one or two. Names of roles: 用户, 助手, 系统.
    (re.compile(r"[\u3005-\u3007\u3041-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"), 1),
    (re.compile(r"[\U00020000-\U0003ffff]"), 1),
    # Katakana, also of half width: words of other languages, which are longer. システム, ユーザー.
    (re.compile(r"[\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f]+"), 4),
    # Hangul: particles and endings are written to the word before.
    (re.compile(r"[\uac00-\ud7a3]+"), 2),
    # Thai, Lao, Tibetan, Burmese, Khmer, Tai Le, Tai Tham, Balinese, Javanese, Tai Viet.
    (
        re.compile(
            r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f"
            r"\ua980-\ua9ff\uaa60-\uaadf]+"
        ),
        2,
    ),
)

# What Llama 3 and its kin write into the system message; the date is frozen.
DATE_LINE = re.compile(
    r"(?im)^(?:cutting knowledge date|knowledge cutoff|(?:today|current) date):[ \t]*"
    r"(?:(?:\d[\d:./-]*(?:st|nd|rd|th)?|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b[ \t\r,.]*){0,6}$"
)

# How control tokens are spelled, for servers, whose tokenizer is not at hand.
CONTROL = re.compile(
    r"<([|｜])[^|｜>\s]*\1>"  # Llama, Qwen; DeepSeek has bars of its own
    r"|</?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn)>"
    r"|\[/?(?:INST|SYSTEM_PROMPT)\]"
)

# How publishers spell marks that structure a prompt, control tokens or not: no words of a message.
MARK = re.compile(
    r"</?[|｜]?[A-Za-z][A-Za-z0-9_.:/▁-]{0,40}[|｜]?>"  # <think>, <|channel>, <seed:think>
    r"|\[/?\|?[A-Za-z_]{1,40}\|?\]"  # [MODEL_SETTINGS], [|assistant|], [gMASK]
    r"|◁/?[a-z_]{1,40}▷"  # Kimi
    r"|\]~!?b[\[\]]|\[e~\["  # MiniMax
)
# The same, and words that are dressed as marks, one by one.
_MARKS = re.compile(rf"(?:[<\[][A-Za-z]+[>\]]\s*){{{FOREIGN_WORDS},}}|{MARK.pattern}")
# What names of marks have of their own: <|START_OF_TURN_TOKEN|>, <｜hy_place▁holder▁no▁2｜>.
_OF_MARKS = {"begin", "start", "end", "of", "turn", "token", "place", "holder", "no"}
# you_are, YouAre
_WORD_ENDS = re.compile(r"_|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def words_of(text: str) -> str:
    """A text as one line, without the marks that structure a prompt."""
    return " ".join(_MARKS.sub(said_by_mark, text).split())


def said_by_mark(mark: re.Match[str]) -> str:
    """What a mark says: itself where its name is a message, else nothing."""
    words = re.findall(r"[^\W\d_]+", _WORD_ENDS.sub(" ", mark[0]))
    named = [word for word in words if word.lower() not in _OF_MARKS]
    return mark[0] if len(named) >= FOREIGN_WORDS else ""


def n_words(text: str) -> int:
    """Number of words; in scripts without blanks between words, about as many."""
    # Signs that are put on letters are no letters: \w would end a word at each.
    rest = "".join(one for one in text if not unicodedata.category(one).startswith("M"))
    count = 0
    for letters, a_word in _LETTERS_A_WORD:
        count += sum(math.ceil(len(run) / a_word) for run in letters.findall(rest))
        rest = letters.sub(" ", rest)
    # you_are_a_nurse: a name is one word, a sentence that is written as one is not.
    names = [len(_WORD_ENDS.sub(" ", name).split()) for name in re.findall(r"\w+", rest)]
    return count + sum(parts if parts >= FOREIGN_WORDS else 1 for parts in names)
