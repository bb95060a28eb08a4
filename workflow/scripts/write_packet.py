"""Draw answers for clinicians and write the blinded packet, its key and what was drawn."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.clinicians.drawing import draw
from persona_paradox.clinicians.packet import packet
from persona_paradox.data.criteria import criteria_of
from persona_paradox.identification.masking import mask


def criteria_of_items(view: dict[str, Any], folder: Path) -> dict[tuple[str, str], list[str]]:
    """(Task, item) → the texts of its criteria, of the tasks whose items have some."""
    found: dict[tuple[str, str], list[str]] = {}
    for task, dataset in view.get("criteria", {}).items():
        items = files.read_table(folder / f"{dataset}.parquet")
        for id_, text in items.select("item_id", "criteria").iter_rows():
            found[task, id_] = [one.text for one in criteria_of(text)]
    return found


def main(arguments: Namespace) -> None:
    """Blind, draw and pack; the key is on the disk before the packet is."""
    view = files.read_json(arguments.view)
    answers = mask(files.read_table(arguments.answers), view["strings"])
    tasks, counts = draw(
        answers, view["seed"], view["n_answers"], view["n_pairs"], view["baseline"]
    )
    packed = packet(
        tasks,
        view["forms"],
        seed=view["seed"],
        strings=view["strings"],
        template=arguments.template.read_text(encoding="utf-8"),
        criteria=criteria_of_items(view, arguments.items),
    )
    # What belongs to a packet is kept under its id: files may come back after the study has
    # changed, and with it the packet that it would make now.
    kept = arguments.kept / packed.packet_id
    files.write_text(kept.with_suffix(".forms.json"), files.canonical_json(view["forms"]))
    if packed.criteria:
        text = files.canonical_json(packed.criteria)
        files.write_text(kept.with_suffix(".criteria.json"), text)
    files.write_csv(packed.key, kept.with_suffix(".key.csv"))
    files.write_csv(counts, arguments.counts)
    files.write_csv(packed.key, arguments.key)
    with files.atomic_path(arguments.packet) as temporary:
        temporary.write_bytes(packed.data)
    singles = counts.filter(pl.col("versus").is_null())
    pairs = counts.filter(pl.col("versus").is_not_null())
    for name, part in (("answers", singles), ("pairs", pairs)):
        total = part.select(pl.sum("drawn", "available", "empty", "identical")).row(0)
        cli.log.info("%d of %d %s drawn; %d empty, %d identical", *total[:2], name, *total[2:])
    masked = packed.key.filter(pl.col("masked") > 0).height
    cli.log.info("packet %s: words masked in %d answers", packed.packet_id, masked)


if __name__ == "__main__":
    cli.run(
        main,
        cli.parser(
            __doc__,
            answers="Parquet file of the answers to draw from",
            view="view of the draw, the forms and what must not be seen",
            template="HTML page of the form",
            items="folder of the data sets, whose items may have criteria",
            packet="zip file to write",
            key="CSV file to write, who is behind each item; not for clinicians",
            counts="CSV file to write, what there was and what was drawn",
            kept="folder that keeps the key and the forms of every packet ever made",
        ),
    )
