"""Answer every prompt of one cell by the engine: label log-probabilities and texts."""

import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.decoding import Answer
from persona_paradox.engine import Engine, Settings, ask_engine, usable_cpus
from persona_paradox.responses import LOCAL, Request, Wanted, respond
from persona_paradox.store import Store


def main(arguments: Namespace) -> None:
    """Take from the store what it has, load the model for the rest, write the table."""
    started = time.monotonic()
    manifest = files.read_json(arguments.manifest)
    view = files.read_json(arguments.engine)
    settings = Settings.resolve(view, manifest["cache_bytes_per_token"])
    decoding = files.read_json(arguments.decoding)
    request = Request.of(decoding, settings.fingerprint(manifest["sha256"]))
    name = "/".join(arguments.responses.with_suffix("").parts[-3:])

    def ask(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Answer]]:
        threads = min(arguments.threads, usable_cpus())
        with Engine(arguments.model, settings, threads, arguments.config_file) as engine:
            loaded = time.monotonic()
            cli.log.info(
                "%s: model loaded in %.1f s; width %d, %d threads",
                name,
                loaded - started,
                settings.width,
                threads,
            )
            yield from ask_engine(engine, wanted, request.labels)
            seconds = time.monotonic() - loaded
            cli.log.info(
                "%s: %d prompt tokens and %d answer tokens computed in %.1f s",
                name,
                engine.computed["prompt"],
                engine.computed["answer"],
                seconds,
            )

    with Store(arguments.store, request.scope) as store:
        delivered = pl.read_parquet(arguments.delivered)
        responses = respond(delivered, request, LOCAL, ask=ask, store=store, name=name)
    inputs = {
        "delivered": arguments.delivered,
        "decoding": arguments.decoding,
        "engine": arguments.engine,
        "model": arguments.manifest,
    }
    # What `store.py verify` needs to compute an answer again.
    made_by = files.canonical_json({"engine": view, "decoding": decoding})
    files.write_table(responses, arguments.responses, inputs, {"made_by": made_by})
    cli.log.info("%s: done in %.1f s", name, time.monotonic() - started)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        delivered="Parquet file of tokenized prompts",
        decoding="view of the task's labels and decoding",
        engine="view of the model's engine settings",
        model="prepared GGUF file",
        manifest="its manifest",
        store="folder of the response store",
        responses="Parquet file to write",
    )
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    options.add_argument("--threads", type=int, default=1, help="threads of the computation")
    cli.run(main, options)
