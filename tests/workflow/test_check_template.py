"""The command that says how a chat template would deliver a persona, before a download."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from project import Project, add_model
from root import ROOT
from tiny_model import CHATML, FOREIGN_PERSONA, NO_SYSTEM, TODAY, write_tiny_model

OPENS = CHATML.replace("assistant\\n'", "assistant\\n<think>\\n'")


def check(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    command = [sys.executable, str(ROOT / "workflow/scripts/check_template.py"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_a_line_for_each_file(tmp_path: Path) -> None:
    for name, source in (("native", CHATML), ("folded", NO_SYSTEM), ("dated", TODAY)):
        (tmp_path / f"{name}.jinja").write_text(source)
    (tmp_path / "opens.jinja").write_text(OPENS)
    (tmp_path / "foreign.jinja").write_text(FOREIGN_PERSONA)
    (tmp_path / "broken.jinja").write_text("{% for m in messages %}")
    (tmp_path / "none.json").write_text("{}")
    several = [
        {"name": "tool_use", "template": "{{ tools }}"},
        {"name": "default", "template": CHATML},
    ]
    tokens = {"bos_token": {"content": "<bos>"}, "eos_token": None}
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": several, **tokens})
    )
    write_tiny_model(tmp_path / "tiny.gguf", template=NO_SYSTEM)
    names = ["native.jinja", "folded.jinja", "dated.jinja", "opens.jinja", "tokenizer_config.json"]
    good = (0, [
        *("native.jinja: native", "folded.jinja: folded", "dated.jinja: native, date frozen"),
        *("opens.jinja: native, thought closed", "tokenizer_config.json: native"),
        "tiny.gguf: folded",
    ])  # fmt: skip
    assert check(tmp_path, "--brief", *names, "tiny.gguf") == good
    (tmp_path / "deep.json").write_text("[" * 100000)
    # Two tokens of one text: llama.cpp aborts.
    length = b"\1" + bytes(7)
    damaged = (tmp_path / "tiny.gguf").read_bytes().replace(length + b"Z", length + b"Y", 1)
    (tmp_path / "damaged.gguf").write_bytes(damaged)
    bad = ["foreign.jinja", "broken.jinja", "none.json", "nowhere", "deep.json", "damaged.gguf"]
    status, lines = check(tmp_path, "--brief", *bad, "native.jinja")
    assert status == 1
    assert lines[-1] == "native.jinja: native"
    for line, name, word in zip(
        lines[:-1],
        bad,
        (
            *("accepted_template_text", "does not parse", "no key `chat_template`"),
            *("neither a file", "nests too deeply", "llama.cpp broke down while it read"),
        ),
        strict=True,
    ):
        assert line.startswith(f"refused: {name}: ")
        assert word in line


def test_what_the_baseline_looks_like_and_what_is_done_about_a_thought(tmp_path: Path) -> None:
    (tmp_path / "opens.jinja").write_text(OPENS)
    status, lines = check(tmp_path, "opens.jinja")
    assert status == 0
    assert lines[:3] == [
        "opens.jinja:",
        "  native: the persona stands in a system turn",
        "  thought: closed: a thought is opened, and closed at once without a word",
    ]
    assert "You are an Emergency Department Physician." in lines[3]
    assert lines[4] == (
        r"  baseline, without a system text: <|im_start|>system\n<|im_end|>\n<|im_start|>user\n"
        r"The patient has had chest pain for 20 minutes.\n\nWhich level is this?<|im_end|>\n"
        r"<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def test_a_template_that_opens_no_turn_for_the_answer(tmp_path: Path) -> None:
    (tmp_path / "none.jinja").write_text(CHATML.partition("{% if add_generation_prompt")[0])
    assert check(tmp_path, "--brief", "none.jinja")[1] == [
        "none.jinja: native, no turn for the answer"
    ]
    lines = check(tmp_path, "none.jinja")[1]
    assert lines[3] == "  turn: the template opens no turn for the answer"


def test_a_model_of_the_project(project: Project) -> None:
    add_model(project, template=FOREIGN_PERSONA)
    status, lines = check(project.path, "--brief", "tiny")
    assert status == 1
    assert "You are Tiny" in lines[0]
    foreign = "system You are Tiny, a large language model drawn from random numbers."
    project.edit("config/models/tiny.yaml", lambda m: m.update(accepted_template_text=foreign))
    assert check(project.path, "--brief", "tiny") == (
        0,
        ["tiny: native, text of its own accepted"],
    )
    far = {"kind": "hub", "repo": "a/b", "file": "c.gguf", "revision": "main", "sha256": "0" * 64}
    project.edit("config/models/tiny.yaml", lambda m: m.update(source=far))
    status, lines = check(project.path, "tiny")
    assert status == 1
    assert "is not on this machine" in lines[0]
