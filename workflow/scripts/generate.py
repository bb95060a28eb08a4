"""Answer every prompt of one cell: label log-probabilities and the greedy answer."""

import sys
import time
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.chat import ChatTemplate
from persona_paradox.engine import Engine, Settings
from persona_paradox.responses import Request, answer_all


def main(arguments: Namespace) -> None:
    """Load the model, answer, write the table."""
    started = time.monotonic()
    prompts = pl.read_parquet(arguments.prompts)
    decoding = files.read_json(arguments.decoding)
    settings = Settings(**files.read_json(arguments.engine))
    weights = files.read_json(arguments.manifest)["sha256"]
    cell = arguments.responses.with_suffix("").parts[-3:]
    with Engine(arguments.model, settings, arguments.threads, arguments.config_file) as engine:
        template = ChatTemplate(engine.chat_template, engine.bos, engine.eos, arguments.config_file)
        cli.log.info(
            "%s: system role %s, the template adds %r",
            "/".join(cell),
            template.system_role,
            template.added_text,
        )
        request = Request(
            labels=decoding["labels"],
            answer_prefix=decoding["answer_prefix"],
            max_tokens=decoding["max_tokens"],
            fingerprint=engine.fingerprint(settings, weights),
        )
        responses = answer_all(engine, template, prompts, request, "/".join(cell))
    inputs = {
        "prompts": arguments.prompts,
        "decoding": arguments.decoding,
        "engine": arguments.engine,
        "model": arguments.manifest,
    }
    files.write_table(responses, arguments.responses, inputs)
    cli.log.info("%s: done in %.0f s", "/".join(cell), time.monotonic() - started)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        prompts="Parquet file of prompts",
        decoding="view of the task's labels and decoding",
        engine="view of the model's engine settings",
        model="prepared GGUF file",
        manifest="its manifest",
        responses="Parquet file to write",
    )
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    options.add_argument("--threads", type=int, default=1, help="threads of the computation")
    cli.run(main, options)
