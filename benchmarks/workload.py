"""What the benchmark of the engine works on: models, prompts, and the tree that they make."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import paths
import polars as pl
import yaml
from prepare_model import cache_bytes_per_token
from tiny_model import write_tiny_model

from persona_paradox.engine.settings import Settings
from persona_paradox.engine.vocabulary import Prompt, Vocabulary, open_vocabulary
from persona_paradox.prompting.chat import ChatTemplate
from persona_paradox.prompting.prompts import build_prompts

ROOT = paths.ROOT
TASK = "triage_semigran"
PERSONAS = ("no_persona", "ed_physician", "ed_physician_bold", "ed_physician_cautious")
# Free text: one persona, the case, and a question that takes some sentences to answer.
EXPLAINER = "ed_physician"
QUESTION = (
    "Should this person stay at home, see a clinician in the coming days, or go to an emergency "
    "department now? Explain your decision in a few sentences."
)


@dataclass(frozen=True)
class Chat:
    """A prompt as text, which a server reads, and in the tokens and pieces of the engine."""

    persona: str
    text: str
    prompt: Prompt


@dataclass(frozen=True)
class Workload:
    """The same prompts for everyone.

    Attributes:
        triage: every case under every persona, persona by persona.
        explain: cases whose triage is to be explained.
        labels: the task's.
        max_tokens: most tokens of an explanation.
    """

    triage: Sequence[Chat]
    explain: Sequence[Chat]
    labels: Sequence[str]
    max_tokens: int


@dataclass(frozen=True)
class Weights:
    """A GGUF file, and how the engine runs it."""

    path: Path
    title: str
    settings: Settings


def read_config(kind: str, id_: str) -> dict[str, Any]:
    """A file of the project's configuration."""
    text = (ROOT / "config" / kind / f"{id_}.yaml").read_text(encoding="utf-8")
    value: dict[str, Any] = yaml.safe_load(text)
    return value


def semigran_file() -> Path:
    """The Semigran vignettes in the data folder."""
    folder = Path(os.environ.get("PERSONA_DATA_DIR", ROOT.parent / "shared" / "data"))
    path = folder / "semigran45" / "semigran_vignettes.jsonl"
    if not path.is_file():
        sys.exit(f"error: {path} is missing; set PERSONA_DATA_DIR to the folder of the data sets")
    return path


def cases(count: int | None) -> pl.DataFrame:
    """The first cases of the Semigran vignettes: columns `item_id` and `case`."""
    column = read_config("datasets", "semigran")["columns"]["case"]["column"]
    texts = pl.read_ndjson(semigran_file()).get_column(column).str.strip_chars().to_list()[:count]
    return pl.DataFrame({"item_id": [f"semigran_{i}" for i in range(len(texts))], "case": texts})


def weights(model: str) -> list[Weights]:
    """A model of the project as it was shipped, and as the project prepares it."""
    folder = ROOT / "resources" / "models" / model
    context = read_config("models", model)["engine"]["context"]
    found = []
    for file, made in (("source.gguf", "as shipped"), ("model.gguf", "prepared")):
        if not (folder / file).is_file():
            sys.exit(f"error: {folder / file} is missing; run make once, which fetches it")
        found.append(_weights(folder / file, made, context))
    return found


def tiny_weights(folder: Path) -> list[Weights]:
    """Random weights in the same two formats, for a trial run."""
    found = []
    for kind, made in (("Q4_1", "as shipped"), ("F16", "prepared")):
        path = folder / f"{kind}.gguf"
        write_tiny_model(path, file_type=kind)
        found.append(_weights(path, made, 2048))
    return found


def _weights(path: Path, made: str, context: int) -> Weights:
    engine = {"context": context, "width": None, "cache_gib": 4, "gpu_layers": 0, "main_gpu": 0}
    settings = Settings.resolve(engine | {"tensor_split": []}, cache_bytes_per_token(path))
    with open_vocabulary(path, str(path)) as vocabulary:
        number = int(vocabulary.metadata("general.file_type") or 0)
    format_ = gguf.LlamaFileType(number).name.removeprefix("MOSTLY_")
    return Weights(path, f"{format_}, {made}", settings)


def workload(
    model: Path, personas: Sequence[str], count: int | None, explained: int, max_tokens: int
) -> Workload:
    """The prompts in a model's own chat template and tokens.

    Args:
        model: GGUF file.
        personas: ids.
        count: cases under every persona, None for all.
        explained: cases whose triage is to be explained.
        max_tokens: most tokens of an explanation.
    """
    task = read_config("tasks", TASK)
    explain = {"instruction": "", "user": "{case}\n\n" + QUESTION}
    with open_vocabulary(model, str(model)) as vocabulary:
        triage = [
            chat
            for persona in personas
            for chat in _chats(vocabulary, persona, cases(count), task, task["answer_prefix"])
        ]
        return Workload(
            triage=triage,
            explain=_chats(vocabulary, EXPLAINER, cases(explained), explain, ""),
            labels=[label["label"] for label in task["labels"]],
            max_tokens=max_tokens,
        )


def _chats(
    vocabulary: Vocabulary, persona: str, items: pl.DataFrame, task: dict[str, Any], prefix: str
) -> list[Chat]:
    texts = {"main": read_config("personas", persona)["texts"]["main"]}
    name = f"config/personas/{persona}.yaml"
    template = ChatTemplate(vocabulary.chat_template, vocabulary.bos, vocabulary.eos, name)
    found = []
    for row in build_prompts(items, texts, task).iter_rows(named=True):
        chat = template.render(row["system"], row["user"], prefix)
        found.append(Chat(persona, chat.text, vocabulary.prompt(chat.parts)))
    return found


def tree_tokens(prompts: Sequence[Prompt]) -> int:
    """Tokens of the prefix tree of some prompts: what no method can do without."""
    total = 0
    before: tuple[int, ...] = ()
    # Sorted, each prompt has the most in common with its neighbour.
    for tokens in sorted({prompt.tokens for prompt in prompts}):
        shared = 0
        for mine, held in zip(tokens, before, strict=False):
            if mine != held:
                break
            shared += 1
        total += len(tokens) - shared
        before = tokens
    return total
