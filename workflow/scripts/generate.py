"""Answer every prompt of one cell by the engine: label log-probabilities and texts.

Of several cells at once, the answers go to the response store alone, and the model is loaded once.
"""

import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.decoding import Answer, Wanted
from persona_paradox.engine.engine import Engine, ask_engine
from persona_paradox.engine.prepared import Prepared
from persona_paradox.engine.responses import FINGERPRINT, LOCAL, Request, respond
from persona_paradox.engine.settings import Settings, usable_cpus
from persona_paradox.engine.steering import Steering
from persona_paradox.engine.store import Store


def main(arguments: Namespace) -> None:
    """Take from the store what it has, load the model for the rest, write the table."""
    started = time.monotonic()
    prepared = Prepared.read(arguments.manifest)
    view = files.read_json(arguments.engine)
    settings = Settings.resolve(view, prepared.manifest)
    decoding = files.read_json(arguments.decoding)
    steering = Steering.read(arguments.steering)
    moved = None if steering is None else steering.sha256
    description = settings.describe(prepared.sha256, moved)
    request = Request.of(decoding, settings.fingerprint(prepared.sha256, moved))
    answered = {}

    with Store(arguments.store, request.scope) as store, ExitStack() as stack:
        engines: list[Engine] = []

        def ask(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Answer]]:
            if not engines:
                # Answers of other weights must not be stored as those of the manifest's.
                prepared.check()
                threads = min(arguments.threads, usable_cpus())
                engine = Engine(
                    prepared.model,
                    settings,
                    threads,
                    arguments.config_file,
                    prepared.adapters,
                    steering=steering,
                )
                engines.append(stack.enter_context(engine))
                cli.log.info(
                    "%s: model loaded in %.1f s; width %d, %d threads",
                    name,
                    time.monotonic() - started,
                    settings.width,
                    threads,
                )
            (engine,) = engines
            before, loaded = dict(engine.computed), time.monotonic()
            yield from ask_engine(engine, wanted, request.labels)
            cli.log.info(
                "%s: %d prompt tokens and %d answer tokens computed in %.1f s",
                name,
                engine.computed["prompt"] - before["prompt"],
                engine.computed["answer"] - before["answer"],
                time.monotonic() - loaded,
            )

        for path in arguments.delivered:
            name = "/".join(path.with_suffix("").parts[-3:])
            delivered = files.read_table(path)
            responses = respond(delivered, request, LOCAL, ask=ask, store=store, name=name)
            answered[name] = len(responses)
    if arguments.counts:
        files.write_text(arguments.counts, files.canonical_json(answered))
    else:
        inputs = {
            "delivered": arguments.delivered[0],
            "decoding": arguments.decoding,
            "engine": arguments.engine,
            "model": arguments.manifest,
        }
        inputs |= {"steering": arguments.steering} if steering else {}
        # What `store.py verify` needs to compute an answer again.
        made_by = files.canonical_json({"engine": view, "decoding": decoding})
        about = {"made_by": made_by, FINGERPRINT: files.canonical_json(description)}
        files.write_table(responses, arguments.responses, inputs, about)
    cli.log.info("%s: done in %.1f s", name, time.monotonic() - started)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        decoding="view of the task's labels and decoding",
        engine="view of the model's engine settings",
        manifest="manifest of the prepared model",
        store="folder of the response store",
    )
    options.add_argument(
        "--delivered",
        type=Path,
        nargs="+",
        required=True,
        help="Parquet files of tokenized prompts; one with --responses",
    )
    written = options.add_mutually_exclusive_group(required=True)
    written.add_argument("--responses", type=Path, help="Parquet file to write")
    written.add_argument("--counts", type=Path, help="file to write: number of answers per cell")
    options.add_argument("--steering", type=Path, help="vectors that move the model")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    options.add_argument("--threads", type=int, default=1, help="threads of the computation")
    cli.run(main, options)
