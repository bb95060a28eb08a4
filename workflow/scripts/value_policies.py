"""Value policies that choose among the personas, on the stored answers of every model."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from threadpoolctl import threadpool_limits

from persona_paradox import cli, files
from persona_paradox.kinds import measuring
from persona_paradox.names import ALL
from persona_paradox.routing.cases import Cases, cases_of
from persona_paradox.routing.learned import learned
from persona_paradox.routing.policies import BEST_SINGLE, Policy, policies
from persona_paradox.routing.valuing import SCHEMA, policy_rows, with_holm

Tasks = Mapping[str, Mapping[str, Any]]


def asked_policies(view: Mapping[str, Any], cases: Cases) -> list[Policy]:
    """The policies that the study asks for; the baseline and the best single persona always."""
    personas = view["personas"]
    found = policies(personas, cases.asked, view["escalation"], learned(personas))
    asked = view["policies"]
    return [
        policy
        for policy in found
        if policy is found[0] or policy.id == BEST_SINGLE or asked == ALL or policy.id in asked
    ]


def rows(
    view: Mapping[str, Any], settings: Mapping[str, Any], arguments: Namespace
) -> Iterator[dict[str, Any]]:
    """The rows of every model, on teaching cases and on real ones apart; main wordings."""
    limited = (view["constraint"] or {}).get("metric", "")
    flags = (view["escalation"] or {}).get("flags", [])
    datasets = {about["dataset"] for about in view["tasks"].values()}
    items = {id_: files.read_table(arguments.items / f"{id_}.parquet") for id_ in datasets}
    origins = dict.fromkeys(about["origin"] for about in view["tasks"].values())
    for model in view["models"]:
        for origin in origins:
            tasks = {id_: one for id_, one in view["tasks"].items() if one["origin"] == origin}
            answers = {
                id_: list(
                    measuring.answers_of(arguments.scores / model / id_, about, view).values()
                )
                for id_, about in tasks.items()
            }
            cases = cases_of(answers, tasks, items, limited, flags)
            cells = [cell for own in answers.values() for cell in own]
            for row in policy_rows(
                cases,
                asked_policies(view, cases),
                view,
                settings,
                clustered=any(cell.clustered for cell in cells),
                backend="; ".join(sorted({cell.backend for cell in cells})),
            ):
                yield {"model": model, "origin": origin} | row
            cli.log.info("%s, %s: %d items", model, origin, len(cases.clusters))


def main(arguments: Namespace) -> None:
    """Read the cells and write the table."""
    view, settings = files.read_json(arguments.view), files.read_json(arguments.statistics)
    table = with_holm(pl.DataFrame(list(rows(view, settings, arguments)), schema=SCHEMA))
    inputs = {"view": arguments.view, "statistics": arguments.statistics}
    files.write_table(table, arguments.tables / "policies.parquet", inputs)
    files.write_csv(table, arguments.tables / "policies.csv")


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        view="view of the policies",
        statistics="view of the statistics",
        scores="folder of scores",
        items="folder of data sets",
        tables="folder to write to",
    )
    # The last bits of a matrix product depend on the number of threads.
    with threadpool_limits(1):
        cli.run(main, options)
