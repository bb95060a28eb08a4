"""Render and tokenize the prompts of one cell, and prove that every one arrives as it must."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.engine.decoding import Decoding, grammar_of
from persona_paradox.engine.prepared import model_of
from persona_paradox.engine.sampler import Sampler
from persona_paradox.engine.vocabulary import Vocabulary
from persona_paradox.errors import InputError
from persona_paradox.prompting.delivery import deliver, open_template
from persona_paradox.prompting.window import check_window


def check_grammar(read_out: dict[str, Any], vocabulary: Vocabulary, name: str) -> None:
    """Whether llama.cpp can follow the task's grammar or JSON schema, if there is one."""
    try:
        grammar = grammar_of(read_out)
    except Exception as error:  # whatever the library stumbles over in a schema
        raise InputError(
            f"{name}: llama.cpp cannot make a grammar of the JSON schema ({error}); mend or "
            "simplify key `decoding.json_schema`"
        ) from error
    Sampler(vocabulary, Decoding(max_tokens=1, grammar=grammar), 0, name).close()


def warn_of_window(table: pl.DataFrame, arguments: Namespace, thinks: bool, name: str) -> None:
    """Say how many prompts leave no room for what the model writes first; refuse where all do."""
    window = files.read_json(arguments.window)
    context, most = window["context"], window["max_tokens"]
    lower = (
        f"`thinking.max_tokens` of {arguments.config_file}"
        if thinks
        else f"`max_tokens` of {arguments.task_file}"
    )
    remedy = f"raise key `engine.context` of {arguments.config_file}, or lower {lower}"
    lost = check_window(table, context, most, name, remedy)
    if lost:
        cli.log.warning(
            "%s: %d of %d prompts have more than %d tokens, so that with up to %d that follow they "
            "do not fit the window of %d, and are not run; %s",
            *(name, lost, table.height, context - most, most, context, remedy),
        )


def main(arguments: Namespace) -> None:
    """Read the vocabulary, or the template of a server's model, and write the table."""
    prompts = files.read_table(arguments.prompts)
    persona = files.read_json(arguments.persona)
    read_out = files.read_json(arguments.read_out)
    view = files.read_json(arguments.template)
    name = "/".join(arguments.delivered.with_suffix("").parts[-3:])
    rest = {
        "answer_prefix": read_out["answer_prefix"],
        "accepted": view["accepted_template_text"],
        "name": name,
        "named": persona.get("control_tokens", ()),
    }
    inputs = {
        "prompts": arguments.prompts,
        "read_out": arguments.read_out,
        "template": arguments.template,
        "window": arguments.window,
    }
    if arguments.manifest is not None:
        inputs["model"] = arguments.manifest
    model = model_of(arguments.manifest)
    with open_template(view, model, arguments.config_file) as (template, vocabulary):
        if vocabulary is not None:
            # What the task asks for is checked here, before long work.
            vocabulary.label_forms(read_out["labels"])
            check_grammar(read_out, vocabulary, arguments.task_file)
        table = deliver(prompts, template, vocabulary, **rest)
    if vocabulary is not None:
        warn_of_window(table, arguments, "thinking" in view and view["thinking"]["think"], name)
    files.write_table(table, arguments.delivered, inputs)
    cli.log.info("%s: %d prompts, system role %s", name, table.height, template.system_role)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        prompts="Parquet file of prompts",
        persona="view of the persona",
        read_out="view of the task's labels and answer prefix",
        template="view of the model's chat template",
        window="view of the model's window and of how much is first written",
        delivered="Parquet file to write",
    )
    options.add_argument("--manifest", type=Path, nargs="?", help="the model's; none for a server")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    options.add_argument("--task-file", required=True, help="name of the task's file in errors")
    cli.run(main, options)
