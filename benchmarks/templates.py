"""Published chat templates: byte for byte as the reference renders them, and what is made of each.

python benchmarks/templates.py FOLDER
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paths  # noqa: F401 - the path of imports
from reference_jinja import rendered

from persona_paradox.errors import InputError
from persona_paradox.prompting import template_worker
from persona_paradox.prompting.chat import ChatTemplate
from persona_paradox.prompting.template_check import Subject, check

SYSTEM = {"role": "system", "content": "You are a nurse.\nAnswer briefly."}
USER = {"role": "user", "content": "Chest pain, 39 °C <b>x</b> {{a}} 答え?"}
LATER = [{"role": "assistant", "content": "Level: 2"}, {"role": "user", "content": "Sure?"}]
EMPTY = {"role": "system", "content": ""}
CHATS = ([SYSTEM, USER], [USER], [EMPTY, USER], [SYSTEM, USER, *LATER], [USER, *LATER])


def renderings(source: str) -> Iterator[str]:
    """Whether ours and the reference's are equal, of every chat, with and without thoughts."""
    for messages in CHATS:
        for thinks in (False, True):
            variables: dict[str, Any] = {"enable_thinking": thinks, "thinking": thinks}
            variables |= {"bos_token": "<s>", "eos_token": "</s>"}
            try:
                # Templates that print a date are told which, in either way.
                theirs = rendered(source, messages, date_string="01 Jan 2025", **variables)
            except Exception:  # a template is a program, and may fail in any way
                theirs = None
            variables |= {"messages": messages, "tools": None, "documents": None}
            variables |= {"add_generation_prompt": True, "today": "2025-01-01"}
            ours = template_worker.answer({"source": source, "variables": variables})
            if theirs is None and "text" not in ours:
                yield "refused by both"
            else:
                yield "equal" if ours.get("text") == theirs else "different"


def outcome(source: str, name: str) -> tuple[str, str]:
    """How a persona would be delivered, and why not."""
    try:
        found = check(Subject(ChatTemplate(source, "<s>", "</s>", name), None))
    except InputError as error:
        return f"refused: {_kind(str(error))}", str(error)
    thought = "" if found.thought == "none" else f", thought {found.thought}"
    return f"{found.system_role}{thought}", ""


def _kind(error: str) -> str:
    for words, kind in (
        ("without a system text, the chat template adds", "a default message without a persona"),
        ("adds a message of its own", "a message of its own"),
        ("does not parse", "no Jinja template"),
        ("does not show", "loses a message, or shows it twice"),
        ("cannot render", "fails on texts, as in the reference"),
        ("are not known", "a thought in unknown marks"),
    ):
        if words in error:
            return kind
    return "changes our words"


def main() -> None:
    """Try every file, and print counts and refusals."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path, help="folder of Jinja files")
    options.add_argument("--reasons", action="store_true", help="print every refusal in full")
    arguments = options.parse_args()
    files = sorted(arguments.folder.glob("*.jinja"))
    if not files:
        sys.exit(f"error: {arguments.folder} holds no file that ends in .jinja; name another")
    bytes_, outcomes = Counter[str](), Counter[str]()
    for path in files:
        source = path.read_text(encoding="utf-8")
        bytes_.update(renderings(source))
        kind, reason = outcome(source, path.name)
        outcomes[kind] += 1
        if reason and arguments.reasons:
            print(reason)
    print(f"{len(files)} templates, {bytes_.total()} renderings: {dict(bytes_)}\n")
    print("| | templates |\n|---|---|")
    for kind, count in outcomes.most_common():
        print(f"| {kind} | {count} |")


if __name__ == "__main__":
    main()
