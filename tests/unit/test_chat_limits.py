"""A chat template is a program of someone else: it runs within limits, and ends in a sentence."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_model import CHATML

from persona_paradox.errors import InputError
from persona_paradox.prompting import template_worker, worker
from persona_paradox.prompting.chat import ChatTemplate

NAME = "config/models/tiny.yaml"
TWICE = "{% for i in range(99) %}{% set kept.text = kept.text ~ kept.text %}{% endfor %}"
NESTED = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
TOO_MUCH = {
    "a loop in a loop": (NESTED, "more than 2 s of computing"),
    "one long sum": ("{{ (3 ** 40000000) % 7 }}", "more than 2 s of computing"),
    "a text twice as long, again and again": (
        "{% set kept = namespace(text='ha') %}" + TWICE,
        "it writes too much",
    ),
    "a long line": ("{{ 'a' | center(2000000000) }}", "it writes too much"),
    "a wide number": ("{{ '%2000000000d' % 1 }}", "it writes too much"),
    "many lines": ("{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}", "it writes too much"),
    "a macro that calls itself": (
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "it nests too deeply",
    ),
    "brackets in brackets": (
        "{{ " + "(" * 20000 + "1" + ")" * 20000 + " }}",
        "it nests too deeply",
    ),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_template_that_asks_for_too_much(what: str) -> None:
    source, reason = TOO_MUCH[what]
    with pytest.raises(InputError) as caught:
        ChatTemplate(source + CHATML, "", "", NAME)
    sentence = f"{NAME}: the chat template of the model asks for more than a template may: {reason}"
    assert str(caught.value) == f"{sentence}; use another build of the model"
    # The next one is rendered as if nothing had been.
    assert ChatTemplate(CHATML, "", "", NAME).render("s", "u", "").delivered


def test_time_is_limited_where_the_caller_ignores_the_signal() -> None:
    before = signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    worker.worker.cache_clear()
    try:
        with pytest.raises(InputError, match="more than 2 s of computing"):
            ChatTemplate(NESTED + CHATML, "", "", NAME)
    finally:
        signal.signal(signal.SIGXCPU, before)


def test_a_worker_that_breaks_down_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "worker.py"
    broken.write_text("""input(), print('{"text": "', end=""), print(1 / 0)""")
    monkeypatch.setattr(template_worker, "__file__", str(broken))
    worker.worker.cache_clear()
    with pytest.raises(InputError, match=r"ended \(ZeroDivisionError: .*mend the environment"):
        ChatTemplate(CHATML, "", "", NAME)


BEHIND = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages['__class__'] }}",
    "{{ messages | attr('__class__') }}",
    "{{ messages | map(attribute='__class__') | list }}",
    "{{ strftime_now.__self__ }}",
    "{{ raise_exception.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.system('touch ran') }}",
    "{{ self._TemplateReference__context }}",
    "{{ '{0.__class__}'.format(messages) }}",
    "{{ messages.append({}) }}",
]


@pytest.mark.parametrize("source", BEHIND)
def test_a_template_that_looks_behind_the_scenes(source: str) -> None:
    with pytest.raises(InputError) as caught:
        ChatTemplate(source + CHATML, "", "", NAME)
    text = str(caught.value)
    assert text.startswith(f"{NAME}: the chat template of the model cannot render a system and")
    assert text.endswith("; use another build of the model")
    assert "\n" not in text


@pytest.mark.parametrize("what", ["{% include '/etc/passwd' %}", "{% import 'x' as y %}"])
def test_a_template_reads_no_file(what: str) -> None:
    with pytest.raises(InputError, match="cannot render"):
        ChatTemplate(what + CHATML, "", "", NAME)


def test_an_error_of_a_template_is_short_and_one_line() -> None:
    with pytest.raises(InputError) as caught:
        ChatTemplate("{{ raise_exception('a\\nb' * 1000000) }}", "", "", NAME)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="no prlimit on this system")
def test_a_system_that_sets_no_limit_of_memory_is_no_failure() -> None:
    """macOS refuses the limit as this one does, which is below it and cannot be raised."""
    limit = template_worker.MEMORY - 1
    command = ["prlimit", f"--as={limit}:{limit}", sys.executable, "-I", template_worker.__file__]
    done = subprocess.run(
        command, input='{"source": "x"}\n', capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ('{"text": ""}\n', "")


def test_what_a_template_adds_is_limited_and_read_fast() -> None:
    source = CHATML + "{{ '<|' * 40000 }}"
    with pytest.raises(InputError, match="adds to a system and a user message more than 65536 "):
        ChatTemplate(source, "", "", NAME)
    begun = time.process_time()
    assert ChatTemplate(CHATML + "<{{ 'think' * 10000 }}", "", "", NAME).thought == "none"
    assert time.process_time() - begun < 1


def test_half_a_character_is_none() -> None:
    with pytest.raises(InputError, match="half of a surrogate pair, which is no character; use "):
        ChatTemplate(CHATML + r"{{ '\ud800' }}", "", "", NAME)
