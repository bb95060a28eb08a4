"""Choose which candidate of a cycle goes on, or that none does and no cycle follows."""

import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.judges import trust
from persona_paradox.judges.known import read_classes
from persona_paradox.kinds import base
from persona_paradox.training import validation
from persona_paradox.training.handing_on import copy
from persona_paradox.training.judged import valued


def answers_of(model: str, view: Mapping[str, Any], arguments: Namespace) -> pl.DataFrame:
    """What the answers of a model are worth, item by item; see `validation.by_item`."""
    items = files.read_table(arguments.items / f"{view['dataset']}.parquet")
    preference = base.load(view["kind"], "preference")
    cells = [f"{model}/{view['task']}/{persona}.parquet" for persona in view["personas"]]
    return validation.by_item(
        [
            valued(
                files.read_table(arguments.answers / cell),
                files.read_table(arguments.judgements / view["judge"] / cell),
                items,
                preference,
                view["rule"],
            )
            for cell in cells
        ]
    )


def unusable(view: Mapping[str, Any], checks: Path | None) -> str | None:
    """Why the judge is not usable by its own rule; None where it is, or need not be."""
    if checks is None:
        return None
    spec, settings = view["tests"], validation.STATISTICS | {"seed": view["seed"]}
    ratings, pairs = (files.read_table(checks / f"{form}.parquet") for form in ("ratings", "pairs"))
    classes = None
    if "sanity_classes" in spec:
        name = f"config/judges/{view['judge']}.yaml"
        classes = read_classes(Path(spec["sanity_classes"]), spec["classes"], name)
    rows = trust.check_rows(
        ratings, pairs, spec["better"], spec["usable"], settings, classes=classes
    )
    position = [row for row in rows if row["metric"].endswith("position_bias")]
    found = trust.usable_row(rows, position, spec["usable"], trust.tests_of(spec))
    return None if found["met"] else str(found["note"])


def main(arguments: Namespace) -> None:
    """Compare the candidates, and write the adapter that goes on and its manifest."""
    view = files.read_json(arguments.view)
    before = None if arguments.before is None else files.read_json(arguments.before)
    about: dict[str, Any] = {"cycle": view["number"], "before": view["before"]}
    if before is not None and before["stopped"] is not None:
        about |= {"chosen": None, "stopped": before["stopped"], "compared": {}}
    else:
        items = files.read_table(arguments.items / f"{view['dataset']}.parquet")
        theirs = answers_of(view["before"], view, arguments)
        rows = {}
        for id_, model in view["candidates"].items():
            made = files.read_json(arguments.adapters / id_ / "manifest.json")
            row = validation.compare(theirs, answers_of(model, view, arguments), items, view)
            rows[id_] = row | {k: made.get(k) for k in ("examples", "handed_on")}
        chosen, why = validation.choose(rows, view["stop"], unusable(view, arguments.checks))
        stopped = None if why is None else {"cycle": view["number"], "why": why}
        about |= {"chosen": chosen, "stopped": stopped, "compared": rows}
    if about["chosen"] is not None:
        copy(arguments.adapters / about["chosen"] / "adapter.gguf", arguments.adapter)
    elif before is not None:
        copy(arguments.before.with_name("adapter.gguf"), arguments.adapter)
    else:
        # The base goes on, as an adapter that changes nothing.
        first = next(iter(view["candidates"]))
        with files.atomic_path(arguments.adapter) as temporary:
            copy(arguments.adapters / first / "adapter.gguf", temporary)
            validation.take_back(temporary)
    about["sha256"] = files.sha256_file(arguments.adapter)
    about["size"] = arguments.adapter.stat().st_size
    files.write_text(arguments.manifest, files.canonical_json(about))
    cli.log.info("goes on: %s", about["chosen"] or f"nothing new ({about['stopped']['why']})")


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of what candidates are compared by",
        answers="folder of answers",
        judgements="folder of what judges say of them, by judge",
        items="folder of data sets",
        adapters="folder of adapters, by id",
        adapter="GGUF file to write",
        manifest="manifest to write",
    )
    options.add_argument("--before", type=Path, help="manifest of the adapter of the cycle before")
    options.add_argument("--checks", type=Path, help="folder of what tests of the judge gave")
    cli.run(main, options)
