"""Compute a sample of a cell's answers again in other ways, and compare."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.archive import audit
from persona_paradox.engine.decoding import Answer, Wanted
from persona_paradox.engine.engine import Engine, ask_engine
from persona_paradox.engine.prepared import Prepared
from persona_paradox.engine.responses import LOCAL, SERVER, Request
from persona_paradox.engine.server import Server, ask_server
from persona_paradox.engine.server_settings import ServerSettings, fingerprint
from persona_paradox.engine.settings import Settings, usable_cpus
from persona_paradox.engine.steering import Steering
from persona_paradox.names import OK

Checks = Iterator[tuple[str, audit.Way]]


def audit_engine(arguments: Namespace, request: Request, others: list[Wanted]) -> Checks:
    """Alone, in another order, among other answers, on another number of threads."""
    prepared = Prepared.read(arguments.manifest)
    settings = engine_settings(arguments, prepared)
    prepared.check()
    threads, name = min(arguments.threads, usable_cpus()), arguments.config_file

    def on(engine: Engine) -> audit.Way:
        return lambda wanted: ask_engine(engine, wanted, request.labels)

    moved = {"steering": Steering.read(arguments.steering)}
    with Engine(prepared.model, settings, threads, name, prepared.adapters, **moved) as engine:
        yield "one_by_one", audit.one_by_one(on(engine))
        yield "other_order", audit.shuffled(on(engine), seed=1)
        yield "other_companions", audit.among(on(engine), others, seed=2)
    more = threads + 1
    with Engine(prepared.model, settings, more, name, prepared.adapters, **moved) as engine:
        yield "other_threads", on(engine)


def audit_server(arguments: Namespace, request: Request, source: dict) -> Checks:
    """Alone, and several at a time in another order."""
    with Server(ServerSettings.of(source), arguments.config_file) as server:
        server.check()

        def way(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Answer]]:
            return ask_server(server, wanted, request.labels)

        yield "one_by_one", audit.one_by_one(way)
        yield "other_order", audit.shuffled(way, seed=1)


def engine_settings(arguments: Namespace, prepared: Prepared) -> Settings:
    """The settings under which the cell was answered."""
    return Settings.resolve(files.read_json(arguments.engine), prepared.manifest)


def main(arguments: Namespace) -> None:
    """Audit a cell."""
    source = files.read_json(arguments.source)["source"] if arguments.source else None
    if source is None:
        prepared = Prepared.read(arguments.manifest)
        settings = engine_settings(arguments, prepared)
        steering = Steering.read(arguments.steering)
        moved = None if steering is None else steering.sha256
        backend, print_ = LOCAL, settings.fingerprint(prepared.sha256, moved)
    else:
        backend, print_ = SERVER, fingerprint(source)
    request = Request.of(files.read_json(arguments.decoding), print_)
    wanted = request.wanted(files.read_table(arguments.delivered))
    responses = files.read_table(arguments.responses)
    chosen = audit.sample(wanted, responses, arguments.sample, arguments.seed)
    taken = {one.key for one in chosen}
    others = [one for one in wanted if one.key not in taken and one.row["status"] == OK]
    checks = (
        audit_engine(arguments, request, others)
        if source is None
        else audit_server(arguments, request, source)
    )
    rows = []
    for check, way in checks:
        row = audit.compare(
            backend, check, way, wanted=chosen, responses=responses, labels=request.labels
        )
        rows.append(row)
        cli.log.info("%s", row)
    inputs = {"responses": arguments.responses, "delivered": arguments.delivered}
    files.write_table(pl.DataFrame(rows, schema=audit.SCHEMA), arguments.audit, inputs)


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        delivered="Parquet file of the cell's prompts",
        responses="Parquet file of the cell's answers",
        decoding="view of the task's labels and decoding",
        audit="Parquet file to write",
    )
    options.add_argument("--sample", type=int, required=True, help="answers to compute again")
    options.add_argument("--seed", type=int, required=True, help="seed of the sample")
    options.add_argument("--source", type=Path, help="view of the server, of a server's cell")
    options.add_argument("--engine", type=Path, help="view of the engine settings, else")
    options.add_argument("--manifest", type=Path, help="manifest of the prepared model")
    options.add_argument("--steering", type=Path, help="vectors that move the model")
    options.add_argument("--config-file", required=True, help="name of the model's file in errors")
    options.add_argument("--threads", type=int, default=1, help="threads of the computation")
    cli.run(main, options)
