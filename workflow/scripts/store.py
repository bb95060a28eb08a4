"""Look after the response store.

    python workflow/scripts/store.py shrink    keep only the answers that stand in results/
    python workflow/scripts/store.py empty     remove every answer
    python workflow/scripts/store.py verify    compute some models' answers again and compare

The store is the folder named by PERSONA_STORE_DIR, else resources/store. Shrink or empty it
while no workflow writes to it. `verify` takes answers of the engine from results/responses; of
models that think, from results/thoughts; of tasks with a reasoning, from results/reasonings; of
judges, none.
"""

import json
import os
import shutil
import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

import polars as pl

from persona_paradox import cli, files
from persona_paradox.archive import audit
from persona_paradox.engine import store
from persona_paradox.engine.engine import Engine, ask_engine
from persona_paradox.engine.prepared import Prepared
from persona_paradox.engine.responses import LOCAL, Request, engine_of
from persona_paradox.engine.settings import Settings, usable_cpus
from persona_paradox.engine.steering import Steering
from persona_paradox.errors import InputError

# Folders whose answers came from the store.
STORED = (
    *("responses", "thoughts", "answers", "reasonings", "conclusions", "statements", "verdicts"),
    *("named_before", "named_after"),
)
# Folder of answers that are verified, and of the prompts that they answer.
STAGES = {"statements": "second_turns"}
# Of a cell, the first of these that it has.
FIRST = ("thoughts", "reasonings", "responses")


def cells(results: Path) -> list[Path]:
    """The first answers of all cells under `results`, and what was said to a second question."""
    first: dict[Path, Path] = {}
    for stage in FIRST:
        for path in answers(results, stage):
            first.setdefault(path.relative_to(results / stage), path)
    return [*first.values(), *(path for stage in STAGES for path in answers(results, stage))]


def answers(results: Path, stage: str) -> list[Path]:
    """All files of a stage under `results`."""
    return sorted((results / stage).rglob("*.parquet"))


def shrink(arguments: Namespace) -> None:
    """Keep what the answers of all stages name."""
    keys: set[str] = set()
    for path in [path for stage in STORED for path in answers(arguments.results, stage)]:
        keys |= set(files.read_table(path, columns=["response_key"]).to_series().drop_nulls())
    counts = store.shrink(arguments.store, keys)
    cli.log.info("%(kept)d answers kept, %(removed)d removed, %(damaged)d damaged ones", counts)


def empty(arguments: Namespace) -> None:
    """Remove the answers, and nothing else that may lie in the folder."""
    for folder in arguments.store.glob(f"*/*/{store.INDEX}"):
        shutil.rmtree(folder)
    for path in arguments.store.glob(f"*/*/*{store.SUFFIX}"):
        path.unlink()
    cli.log.info("%s is empty", arguments.store)


def verify(arguments: Namespace) -> None:
    """Compute answers again, one by one, and compare them with the store and the responses."""
    wrong: list[str] = []
    checked = missing = 0
    for path in cells(arguments.results):
        name = "/".join(path.with_suffix("").parts[-3:])
        responses = files.read_table(path)
        if set(responses.get_column("backend")) != {LOCAL}:
            cli.log.info("%s: not answered by the engine, left out", name)
            continue
        manifest = arguments.resources / "models" / name.split("/")[0] / "manifest.json"
        prepared = Prepared.read(manifest)
        made_by = json.loads(pl.read_parquet_metadata(path)["made_by"])
        settings = Settings.resolve(made_by["engine"], prepared.manifest)
        model, _, persona = name.split("/")
        vector = arguments.results / "vectors" / model / f"{persona}.parquet"
        steered = "steering" in (engine_of(path) or {})
        steering = Steering.read(vector if steered else None)
        moved = None if steering is None else steering.sha256
        request = Request.of(made_by["decoding"], settings.fingerprint(prepared.sha256, moved))
        stage = STAGES.get(path.parts[-4], "delivered")
        delivered = files.read_table(arguments.results / stage / f"{name}.parquet")
        wanted = request.wanted(delivered)
        chosen = audit.sample(wanted, responses, arguments.sample, arguments.seed)
        if not chosen and responses.get_column("text").null_count() < responses.height:
            raise InputError(
                f"{path} was made by other weights, settings or hardware than are here, so nothing "
                "can be compared; run snakemake first"
            )
        stored = store.Store(arguments.store, request.scope).find({one.key for one in chosen})
        rows = {row["response_key"]: row for row in responses.iter_rows(named=True)}
        threads = min(arguments.threads, usable_cpus())
        prepared.check()
        whole = str(prepared.model)
        with Engine(
            prepared.model, settings, threads, whole, prepared.adapters, steering=steering
        ) as engine:
            for index, answer in audit.one_by_one(
                lambda some, engine=engine, labels=request.labels: ask_engine(engine, some, labels)
            )(chosen):
                key = chosen[index].key
                item = chosen[index].row["item_id"]
                checked += 1
                missing += key not in stored
                for place, row in (("the store", stored.get(key)), (str(path), rows[key])):
                    if row is not None and (fields := audit.differences(answer, row)):
                        wrong.append(f"{name}, item {item}: {', '.join(fields)} in {place}")
        cli.log.info("%s: %d answers computed again", name, len(chosen))
    for line in wrong:
        cli.log.error("differs: %s", line)
    cli.log.info("%d answers, %d not in the store, %d differences", checked, missing, len(wrong))
    if wrong:
        raise InputError(
            f"{len(wrong)} stored answers are not what this machine computes; see the lines above, "
            "then empty the store and run snakemake --forcerun generate"
        )


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("action", choices=["shrink", "empty", "verify"])
    default = Path(os.environ.get("PERSONA_STORE_DIR", "resources/store"))
    options.add_argument("--store", type=Path, default=default, help="folder of the store")
    options.add_argument("--results", type=Path, default=Path("results"), help="folder of results")
    options.add_argument("--resources", type=Path, default=Path("resources"), help="of models")
    options.add_argument("--sample", type=int, default=20, help="answers per cell to verify")
    options.add_argument("--seed", type=int, default=1, help="seed of the sample")
    options.add_argument("--threads", type=int, default=1, help="threads of the computation")
    cli.run(lambda a: {"shrink": shrink, "empty": empty, "verify": verify}[a.action](a), options)
