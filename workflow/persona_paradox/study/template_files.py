"""The chat template of a file, or of a model that the project describes, opened for a check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..engine.vocabulary import open_vocabulary
from ..errors import InputError
from ..prompting.chat import ChatTemplate
from ..prompting.delivery import open_template
from ..prompting.template_check import Delivery, Subject, check
from ..schema import check_schema
from .views import template_view
from .yaml_reading import read_yaml


def checked(what: str, bos: str, eos: str) -> Delivery:
    """`check` what `opened` opens, of the same arguments.

    Raises:
        InputError: it would not be delivered, or cannot be opened.
    """
    with opened(what, bos, eos) as subject:
        return check(subject)


@contextmanager
def opened(what: str, bos: str, eos: str) -> Iterator[Subject]:
    """Open a template.

    Args:
        what: a Jinja file, a GGUF file, a JSON file of a tokenizer (`tokenizer_config.json`,
            `chat_template.json`), or the id of a model in `config/models/`.
        bos: text of the beginning-of-sequence token, where a file does not say.
        eos: text of the end-of-sequence token, likewise.

    Raises:
        InputError: it is none of these, or has no chat template.
    """
    path = Path(what)
    config = Path("config/models") / f"{what}.yaml"
    if not path.is_file() and config.is_file():
        with _model(config) as subject:
            yield subject
        return
    if not path.is_file():
        raise InputError(
            f"{what}: is neither a file nor the id of a model in config/models/; name a Jinja "
            "file, a GGUF file, a tokenizer_config.json, or an id"
        )
    with open(path, "rb") as file:
        is_gguf = file.read(4) == b"GGUF"
    if is_gguf:
        with open_vocabulary(path, what) as vocabulary:
            source = vocabulary.chat_template
            yield Subject(ChatTemplate(source, vocabulary.bos, vocabulary.eos, what), vocabulary)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            text, bos, eos = _of_tokenizer(json.loads(text), bos, eos)
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else error
        raise InputError(
            f"{what}: holds no chat template ({reason}); name a Jinja file, a GGUF file, a "
            "tokenizer_config.json, or the id of a model in config/models/"
        ) from error
    yield Subject(ChatTemplate(text, bos, eos, what), None)


@contextmanager
def _model(config: Path) -> Iterator[Subject]:
    """Open the template of a model that a file of the project describes."""
    name = str(config)
    model = read_yaml(config, name)
    check_schema(model, "model", name)
    view, source = template_view(name, model), model["source"]
    path = Path("resources/models") / config.stem / "model.gguf"
    if not path.is_file() and source["kind"] == "path":
        path = Path(source["path"])
    server = source["kind"] == "server"
    if not server and not path.is_file():
        raise InputError(
            f"{name}: the model is not on this machine; name its chat template instead, the file "
            "chat_template.jinja or tokenizer_config.json of its repository"
        )
    with open_template(view, None if server else path, name) as (template, vocabulary):
        yield Subject(template, vocabulary, view["accepted_template_text"])


def _of_tokenizer(content: Any, bos: str, eos: str) -> tuple[str, str, str]:
    """Template and both tokens of a tokenizer's JSON file.

    Raises:
        ValueError: there is no template.
    """
    if not isinstance(content, dict):
        raise ValueError("it is no mapping")
    template = content.get("chat_template")
    if isinstance(template, list):
        # Some models have several, for tools, say; the one called `default` is for chats.
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default")
    if not isinstance(template, str):
        raise ValueError("it has no key `chat_template` with a text")
    tokens = []
    for key, otherwise in (("bos_token", bos), ("eos_token", eos)):
        token = content.get(key, otherwise)
        token = token.get("content") if isinstance(token, dict) else token
        tokens.append(token if isinstance(token, str) else "")
    return template, tokens[0], tokens[1]
