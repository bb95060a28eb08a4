"""Answer every prompt of one cell by a server: label log-probabilities and texts."""

import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli, files
from persona_paradox.engine.decoding import Answer, Wanted
from persona_paradox.engine.responses import FINGERPRINT, SERVER, Request, respond
from persona_paradox.engine.server import Server, ask_server
from persona_paradox.engine.server_settings import ServerSettings, describe, fingerprint
from persona_paradox.engine.store import Store


def main(arguments: Namespace) -> None:
    """Take from the store what it has, ask the server for the rest, write the table."""
    started = time.monotonic()
    source = files.read_json(arguments.source)["source"]
    settings = ServerSettings.of(source)
    decoding = files.read_json(arguments.decoding)
    request = Request.of(decoding, fingerprint(source))
    name = "/".join(arguments.responses.with_suffix("").parts[-3:])

    def ask(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Answer]]:
        with Server(settings, arguments.config_file) as server:
            server.check()
            yield from ask_server(server, wanted, request.labels)

    with Store(arguments.store, request.scope) as store:
        delivered = files.read_table(arguments.delivered)
        responses = respond(delivered, request, SERVER, ask=ask, store=store, name=name)
    inputs = {
        "delivered": arguments.delivered,
        "decoding": arguments.decoding,
        "source": arguments.source,
    }
    about = {FINGERPRINT: files.canonical_json(describe(source))}
    files.write_table(responses, arguments.responses, inputs, about)
    cli.log.info("%s: done in %.1f s", name, time.monotonic() - started)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        delivered="Parquet file of rendered prompts",
        decoding="view of the task's labels and decoding",
        source="view of the server",
        store="folder of the response store",
        responses="Parquet file to write",
    )
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    cli.run(main, options)
