"""Chat templates in the manner of publishers: bytes of the reference, and what is made of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_jinja import rendered
from tiny_model import CHATML

from persona_paradox.errors import InputError
from persona_paradox.prompting import template_worker
from persona_paradox.prompting.chat import ChatTemplate
from persona_paradox.prompting.proof import prove
from persona_paradox.prompting.template_check import Subject, check
from persona_paradox.prompting.thinking import Marks, Thinking
from persona_paradox.prompting.words import FOREIGN_WORDS

NAME = "config/models/tiny.yaml"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

LOOP = "{% for m in messages %}"
TURN = "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
ASK = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
PLAIN = LOOP + TURN + "{% endfor %}" + ASK
# One habit each.
FEATURES = {
    "tools and documents are none": (
        "{% if tools is not none %}{{ tools | tojson }}{% endif %}"
        "{% if documents is not none %}{{ documents | length }}{% endif %}" + PLAIN
    ),
    "tools that are empty": "{{ tools is defined }}{{ tools or [] | tojson }}" + PLAIN,
    "what an assistant says is marked": (
        LOOP + "{% if m.role == 'assistant' %}{% generation %}" + TURN + "{% endgeneration %}"
        "{% else %}" + TURN + "{% endif %}{% endfor %}" + ASK
    ),
    "a variable that is set inside the mark": (
        "{% set n = 1 %}{% generation %}{% set n = 2 %}{{ n }}{% endgeneration %}{{ n }}" + PLAIN
    ),
    "white space about the mark": (
        LOOP + "\n  {%- generation -%}\n  " + TURN + "\n  {%- endgeneration %}\n{% endfor %}" + ASK
    ),
    "a loop that ends early": LOOP
    + "{% if loop.index > 2 %}{% break %}{% endif %}"
    + TURN
    + ("{% endfor %}" + ASK),
    "a turn that is left out": (
        LOOP + "{% if m.role == 'system' %}{% continue %}{% endif %}" + TURN + "{% endfor %}" + ASK
    ),
    "JSON as it comes": LOOP + "{{ m | tojson }}{% endfor %}" + ASK,
    "JSON in ASCII": LOOP + "{{ m.content | tojson(ensure_ascii=True) }}{% endfor %}" + ASK,
    "JSON in order": (
        LOOP + "{{ m | tojson(sort_keys=true, separators=(',', ':')) }}{% endfor %}" + ASK
    ),
    "JSON with indents": LOOP + "{{ m | tojson(indent=2) }}{{ m | tojson(indent='\t') }}"
    "{% endfor %}" + ASK,
    "arguments by place": LOOP + "{{ m | tojson(True, 1, (';', '='), True) }}{% endfor %}" + ASK,
    "a date": "{{ strftime_now('%d %B %Y, %H:%M') }}\n" + PLAIN,
    "a refusal": (
        "{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
        + PLAIN
    ),
    "a namespace": (
        "{% set ns = namespace(system='', n=0) %}" + LOOP + "{% set ns.n = ns.n + 1 %}"
        "{% if m.role == 'system' %}{% set ns.system = m.content %}{% endif %}{% endfor %}"
        "{{ ns.system ~ ns.n }}" + PLAIN
    ),
    "a macro": (
        "{% macro say(role, text) %}<{{ role }}>{{ text | trim }}</{{ role }}>{% endmacro %}"
        + LOOP
        + "{{ say(m.role, m.content) }}{% endfor %}"
        + ASK
    ),
    "white space of blocks": (
        "\n  {% for m in messages %}\n    {% if m.content %}\n" + TURN + "\n    {% endif %}\n"
        "  {% endfor %}\n\n" + ASK + "\n"
    ),
    "tokens": "{{ bos_token }}" + PLAIN + "{{ eos_token }}",
    "switches": "{{ enable_thinking is defined and enable_thinking is false }}" + PLAIN,
    "a variable that nobody sets": "{{ nobody }}{% if nobody is defined %}x{% endif %}" + PLAIN,
    "methods of texts": LOOP + "{{ m.content.split('</think>')[-1].lstrip('\\n') }}"
    "{{ m.content.startswith('A') }}{% endfor %}" + ASK,
    "slices and filters": "{{ messages[1:] | map(attribute='content') | join('|') }}" + ASK,
    "an attribute of nothing": "{{ messages[0].tool_calls.function }}" + PLAIN,
}
WORDS = st.text(max_size=40).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))


def both(source: str, messages: list[dict[str, Any]], thinks: bool) -> bool:
    """The worker writes what the reference writes, or fails where that fails: True for written."""
    variables = {"enable_thinking": thinks, "thinking": thinks, **TOKENS}
    try:
        expected = rendered(source, messages, **variables)
    except Exception:  # a template is a program, and may fail in any way
        expected = None
    asked = {"messages": messages, "tools": None, "documents": None, **variables}
    asked |= {"add_generation_prompt": True, "today": "2025-01-01"}
    found = template_worker.answer({"source": source, "variables": asked})
    assert found.get("text") == expected
    assert (expected is None) == (found.get("error") == template_worker.NO_CHAT)
    return expected is not None


@settings(max_examples=15)
@pytest.mark.parametrize("name", FEATURES)
@given(texts=st.tuples(WORDS, WORDS, WORDS, WORDS), thinks=st.booleans())
def test_bytes_are_those_of_the_reference(name: str, texts: tuple[str, ...], thinks: bool) -> None:
    roles = ("system", "user", "assistant", "user")
    said = [{"role": role, "content": t} for role, t in zip(roles, texts, strict=True)]
    chats = (said[:2], said[1:2], said, said[1:], [{**said[0], "content": ""}, said[1]])
    written = [both(FEATURES[name], messages, thinks) for messages in chats]
    assert any(written) == (name != "an attribute of nothing")


def test_what_the_reference_passes_reaches_a_template_through_the_worker() -> None:
    source = FEATURES["tools and documents are none"]
    chat = ChatTemplate(source, "", "", NAME).render("Be kind.", "Why?", "")
    assert chat.text == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


# --- lists of contents, and system turns without a word -------------------------------------

TYPED = (
    LOOP + "{{ '<|im_start|>' + m.role + '\\n' }}{% for part in m.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{{ '<|im_end|>\\n' }}"
    "{% endfor %}" + ASK
)


def test_a_template_that_knows_lists_of_contents_alone() -> None:
    template = ChatTemplate(TYPED, "", "", NAME)
    plain = ChatTemplate(PLAIN, "", "", NAME)
    for texts in (("Be kind.", "Why?"), ("", "Why?"), (" Be kind.\n", "")):
        assert template.render(*texts, "Level:") == plain.render(*texts, "Level:")


LEFT_OUT = {
    "no turn": LOOP + "{% if m.role != 'system' or m.content %}" + TURN + "{% endif %}{% endfor %}",
    "no turn, and a blank line": "{% if messages[0].content %}\n\n{% endif %}"
    + LOOP
    + "{% if m.content %}"
    + TURN
    + "{% endif %}{% endfor %}",
    "folded by the template": (
        LOOP + "{% if m.role == 'user' %}{{ '<|im_start|>user\\n' }}{% if messages[0].content and "
        "messages[0].role == 'system' %}{{ messages[0].content + '\\n\\n' }}{% endif %}"
        "{{ m.content + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_system_turn_without_a_word_may_be_left_out(name: str) -> None:
    template = ChatTemplate(LEFT_OUT[name] + ASK, "", "", NAME)
    for user in ("Why?", " Why?\n"):
        chat = template.render("", user, "")
        assert chat.delivered
        assert chat.text.strip() == (f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant")
        assert template.render("Be kind.", user, "").text.count("Be kind.") == 1
    assert not template.render("", "", "").delivered or "user" in template.render("", "", "").text


def test_a_message_of_its_own_in_the_place_of_an_empty_one_is_foreign() -> None:
    default = LEFT_OUT["no turn"].replace(
        LOOP, "{% if not messages[0].content %}You are Tiny, a helpful nurse. {% endif %}" + LOOP, 1
    )
    chat = ChatTemplate(default + ASK, "", "", NAME).render("", "Why?", "")
    row = {"persona": "", "system": "", "user": "Why?"}
    assert prove(chat.text, None, row, "", chat.parts[0]).foreign_text


# --- thoughts -------------------------------------------------------------------------------

OPENS = PLAIN.replace("assistant\\n", "assistant\\n<think>\\n")
SWITCH = PLAIN + "{% if not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
START = (
    "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
    "<|im_start|>assistant\n"
)
NO_THOUGHT = "<think>\n\n</think>\n\n"


@pytest.mark.parametrize(
    ("source", "state", "behind"),
    [
        (PLAIN, "none", ""),
        (PLAIN.replace("m.content", "m.content.split('</think>')[-1]"), "none", ""),
        (SWITCH, "empty", NO_THOUGHT),
        (OPENS, "closed", NO_THOUGHT),
        (OPENS.replace("<think>\\n", "<think>"), "closed", NO_THOUGHT),
        (OPENS.replace("<think>\\n", "[THINK]"), "closed", "[THINK][/THINK]"),
        (
            OPENS.replace("<think>\\n", "<|channel>thought\\n<channel|>"),
            "empty",
            "<|channel>thought\n<channel|>",
        ),
        (PLAIN + "{% if thinking_mode != 'chat' %}<think>{% endif %}", "none", ""),
        (
            "{% if enable_thinking is false %}{{ raise_exception('no') }}{% endif %}" + OPENS,
            "closed",
            NO_THOUGHT,
        ),
    ],
)
def test_a_model_that_is_not_to_think(source: str, state: str, behind: str) -> None:
    template = ChatTemplate(source, "", "", NAME)
    chat = template.render("Be kind.", "Why?", "Level:")
    assert chat.delivered
    assert (template.thought, chat.text) == (state, f"{START}{behind}Level:")
    assert chat.text.endswith(chat.lead)
    row = {"persona": "", "system": "Be kind.", "user": "Why?"}
    assert prove(chat.text, None, row, chat.lead).failure(False, "") is None


def test_a_model_whose_file_names_its_marks_reads_a_thought_without_a_word() -> None:
    named = Thinking(False, Marks("## Thinking\n", "## Final Response\n"))
    template = ChatTemplate(PLAIN, "", "", NAME, named)
    assert template.thought == "closed"
    text = template.render("Be kind.", "Why?", "Level:").text
    assert text == f"{START}## Thinking\n## Final Response\nLevel:"


HARMONY = (
    LOOP + "{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}"
    "{% if m.thinking %}<|channel|>analysis<|message|>{% endif %}{% endfor %}"
    "{% if false %}<|channel|>final<|message|>{% endif %}<|start|>assistant"
)


def test_where_every_text_stands_in_a_channel_an_answer_does() -> None:
    start = (
        "<|start|>system<|message|>Be kind.<|end|><|start|>user<|message|>Why?<|end|>"
        "<|start|>assistant"
    )
    template = ChatTemplate(HARMONY, "", "", NAME)
    final = "<|channel|>final<|message|>"
    assert template.render("Be kind.", "Why?", "Level:").text == f"{start}{final}Level:"
    thinks = ChatTemplate(HARMONY, "", "", NAME, Thinking(True))
    opened = f"{start}<|channel|>analysis<|message|>"
    assert thinks.render("Be kind.", "Why?", "Level:").text == opened
    done = thinks.render("Be kind.", "Why?", "Level:", thought="It hurts.").text
    assert done == f"{opened}It hurts.<|end|><|start|>assistant{final}Level:"


@pytest.mark.parametrize("source", [OPENS, SWITCH])
def test_a_model_that_is_to_think_reads_no_answer_before_its_thought(source: str) -> None:
    template = ChatTemplate(source, "", "", NAME, Thinking(True))
    assert template.thought == "open"
    assert template.render("Be kind.", "Why?", "Level:").text == f"{START}<think>\n"
    chat = template.render("Be kind.", "Why?", "Level:", thought="It hurts.")
    assert chat.text == f"{START}<think>\nIt hurts.\n</think>\n\nLevel:"
    assert chat.delivered


# Marks of thoughts that no family has, and what may stand behind them.
UNKNOWN = [
    *(("<ponder_thought>", ""), ("<|start_think|>", "\n{# <think> #}"), ("## Thinking", "\n\n")),
    *(("<scratchpad>", ""), ("<|channel|>commentary<|message|>", ""), ("<think >", "\n")),
    *(("<|channel|>analysis", ""), ("<my-thinking>", ""), ("<cot>", ""), ("**Thinking**", "\n")),
    *(("{think}", ""), ("<my_thought>", "\nOkay,"), ("<think budget=0>", "\n")),
]


@pytest.mark.parametrize(
    ("source", "thinking", "words"),
    [
        (PLAIN, Thinking(True), ("`thinking.think`", "no marks", "`thinking.open`")),
        (PLAIN + NO_THOUGHT, Thinking(True), ("closes the thought", "`thinking.think` to false")),
        (
            OPENS,
            Thinking(True, Marks("## Thinking", "## Final")),
            ("'<think>'", "name other marks", "take the keys out"),
        ),
        *(
            (PLAIN + mark + behind, Thinking(think), (repr(mark), "`thinking.close`"))
            for mark, behind in UNKNOWN
            for think in (False, True)
        ),
        *(
            (PLAIN.replace("{{", start + "{{", 1) + NO_THOUGHT, Thinking(), ("our words inside",))
            for start in ("<|assistant|><think>", "<|assistant|><think>\n<|user|>\n")
        ),
        (
            LOOP + "{{ m.content }}{% endfor %}<|user|>\n",
            Thinking(),
            ("a turn of another, 'user'",),
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    source: str, thinking: Thinking, words: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        ChatTemplate(source, "", "", NAME, thinking)
    assert str(caught.value).startswith(f"{NAME}: ")
    for word in words:
        assert word in str(caught.value)


def test_a_mark_in_the_users_turn_opens_no_thought() -> None:
    switch = "{% if m.role == 'user' %}<think>{% endif %}"
    source = LOOP + "{{ m.content }}" + switch + "{% endfor %}"
    source += "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    thinks = ChatTemplate(source, "", "", NAME, Thinking(True))
    assert thinks.render("s", "u", "").text == "su<think><|assistant|><think>\n"
    assert ChatTemplate(source, "", "", NAME).thought == "none"


@pytest.mark.parametrize("words", ["A</think>", "\\nOkay,"])
def test_words_in_a_thought_are_a_message_however_few(words: str) -> None:
    template = ChatTemplate(OPENS.replace("<think>\\n", f"<think>{words}"), "", "", NAME)
    with pytest.raises(InputError, match=r"adds a message of its own, '(A|Okay,)'"):
        check(Subject(template, None))
    word = template.thought_words.strip()
    assert check(Subject(template, None, accepted=word)).foreign_text == word


@pytest.mark.parametrize(
    ("end", "opens"),
    [
        *(
            ("<|im_end|>\n", False),
            ("</s>", False),
            ("<|eot_id|>", False),
            ("[|endofturn|]", False),
        ),
        *(("[/INST]", True), ("### Response:\n", True), ("", True)),
        ("<|end|><|start|>assistant<|end_header_id|>\n\n", True),
    ],
)
def test_a_template_that_opens_no_turn_for_the_answer(end: str, opens: bool) -> None:
    source = LOOP + "{{ m.content }}" + end + "{% endfor %}"
    assert ChatTemplate(source, "", "", NAME).opens_turn == opens


# --- marks around our words, and words of others in every script ------------------------------

ROW = {"persona": "You are a pilot.", "system": "You are a pilot.\nOne digit.", "user": "Pain?"}


@pytest.mark.parametrize(
    ("before", "between", "behind"),
    [
        ("[|system|]\n", "[|endofturn|]\n[|user|]\n", "[|endofturn|]\n[|assistant|]\n"),
        ("<role>SYSTEM</role>", "<|role_end|><role>HUMAN</role>", "<role>ASSISTANT</role>"),
        ('[MODEL_SETTINGS]{"effort": "none"}[/MODEL_SETTINGS]', "[/SYS][INST]", "[/INST]"),
        ("<seed:bos>system\n", "<seed:eos><seed:bos>user\n", "<seed:eos><seed:bos>assistant\n"),
        ("]~!b[]~b]system\n", "[e~[\n]~b]user\n", "[e~[\n]~b]ai\n<think>\n\n</think>\n\n"),
        ("<|turn>system\n", "<turn|>\n<|turn>user\n", "<turn|>\n<|turn>model\n<|channel>thought\n"),
        ("[gMASK]<sop><|system|>\n", "<|user|>\n", "<|assistant|>\n<think></think>"),
        ("◁sys▷", "◁/sys▷◁user▷", "◁/user▷◁assistant▷◁think▷◁/think▷"),
        ("<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<｜hy_place▁holder▁no▁3｜>"),
        ("system ai_setting=assistant\n", "user name=user\n", "reasoning_effort:no_think"),
        ("Today Date: 1st January, 2025.\n", "Current date: Monday 01/02/2025\n", ""),
        ("系统：", "\n用户：", "\n助手："),
        ("システム: ", "<NL>ユーザー: ", "<NL>アシスタント: "),
        ("ระบบ: ", "\nผู้ใช้: ", "\nผู้ช่วย: "),
        ("시스템: ", "\n사용자: ", "\n어시스턴트: "),
        ("सिस्टम: ", "\nउपयोगकर्ता: ", "\nसहायक: "),
    ],
)
def test_marks_and_names_of_roles_are_no_message(before: str, between: str, behind: str) -> None:
    read = f"{before}{ROW['system']}{between}{ROW['user']}{behind}"
    assert prove(read, None, ROW, "").foreign_text == ""


STRANGERS = [
    "你是一名经验丰富的急诊医生，请务必谨慎地分诊每一位患者。",
    "你是医生。",
    "あなたは看護師です。",
    "คุณเป็นพยาบาล",
    "ທ່ານເປັນພະຍາບານ",
    "អ្នកជាគ្រូពេទ្យ",
    "당신은 간호사입니다.",
    "You are a nurse.",
    "<note>You are a nurse.</note>",
    "Вы опытный врач скорой помощи",
    "أنت طبيب طوارئ متمرس",
    "アナタハシンセツナカンゴシデス。",
    "ｱﾅﾀﾊﾔｻｼｲｶﾝｺﾞｼﾃﾞｽ",
    "you_are_a_nurse",
    "YouAreANurse",
    "<You_are_a_kind_nurse>",
    "<|you-are-a-nurse-of-the-ward|>",
    "[You][are][a][nurse]",
    "<You> <are> <a> <nurse>",
    "Today Date: you are a nurse",
    "Knowledge cutoff: may 2024, nurse, be kind",
]


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("stranger", STRANGERS)
def test_words_of_others_in_every_script(stranger: str, place: int) -> None:
    around = ["<|im_start|>system\n", "<|im_end|>\n<|im_start|>user\n", "<|im_end|>\n"]
    around[place] += stranger
    read = f"{around[0]}{ROW['system']}{around[1]}{ROW['user']}{around[2]}"
    reason = prove(read, None, ROW, "").failure(False, "")
    assert reason is not None
    assert "adds a message of its own" in reason


def test_names_of_roles_before_and_behind_an_empty_system_text() -> None:
    """openchat 3.5."""
    head, rest = "GPT4 Correct System: ", "GPT4 Correct User: Pain?GPT4 Correct Assistant:"
    row = {"persona": "", "system": "", "user": "Pain?"}
    assert FOREIGN_WORDS == 4
    assert prove(head + rest, None, row, "", head).foreign_text == ""
    assert prove(f"{head}Be a nurse {rest}", None, row, "", head).foreign_text != ""


def test_a_template_without_a_habit_is_what_it_was() -> None:
    for source in (PLAIN, CHATML):
        assert (
            ChatTemplate(source, "", "", NAME).render("Be kind.", "Why?", "Level:").text
            == START + "Level:"
        )
