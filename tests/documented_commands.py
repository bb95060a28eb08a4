"""The commands that the documents show."""

from __future__ import annotations

import re
from collections.abc import Iterator

from root import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *(
        ROOT / path
        for path in (
            *("CONTRIBUTING.md", "config/README.md", "benchmarks/README.md"),
            "tests/faults/README.md",
        )
    ),
]
# A block is of commands unless it says that it is of something else.
OTHER = {"yaml", "text", "python"}
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# In a sentence: a program of ours with a word behind it.
_INLINE = re.compile(r"`((?:snakemake|python|make)\s[^`]+)`")


def commands(text: str) -> Iterator[str]:
    """The commands of a document: of its blocks, without what follows a `#`, and of sentences."""
    for _, language, block in _BLOCK.findall(text):
        if language in OTHER:
            continue
        assert not language, f"a block is of commands, or one of {sorted(OTHER)}: {language}"
        for line in block.replace("\\\n", " ").splitlines():
            command = " ".join(re.sub(r"(^| )#.*", "", line).split())
            if command:
                yield command
    for command in _INLINE.findall(_BLOCK.sub("", text)):
        yield " ".join(command.split())


def all_commands() -> dict[str, list[str]]:
    """Every command, and the documents in which it stands."""
    found: dict[str, list[str]] = {}
    for path in DOCUMENTS:
        for command in commands(path.read_text(encoding="utf-8")):
            found.setdefault(command, []).append(str(path.relative_to(ROOT)))
    return found
