"""Check the files that clinicians sent back and write them as one table."""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl

from persona_paradox import cli, files
from persona_paradox.clinicians.annotations import packet_of, read_annotations
from persona_paradox.clinicians.forms import KEY
from persona_paradox.errors import InputError


def read_key(path: Path, packet_id: str) -> pl.DataFrame:
    """The key of a packet, as it was kept.

    Raises:
        InputError: the file was changed, as by a spreadsheet program that saved it.
    """
    try:
        key = pl.read_csv(path, schema=KEY)
        whole = key.drop("side", "category").drop_nulls().height == key.height > 0
    except pl.exceptions.PolarsError:
        whole = False
    if not whole or set(key["packet_id"]) != {packet_id}:
        raise InputError(
            f"{path} is not the key of packet {packet_id} as it was kept when the packet was made; "
            "put that back, without opening it in a spreadsheet"
        )
    return key


def check_cells(key: pl.DataFrame, cells: list[list[str]], packet_id: str) -> None:
    """Check that the study has what was rated: tables and figures could not name it otherwise.

    Raises:
        InputError: the packet shows answers of a cell that the study does not run.
    """
    for name, index in (("task", 1), ("model", 0), ("persona", 2)):
        for id_ in key[name].unique().sort():
            if id_ not in {cell[index] for cell in cells}:
                raise InputError(
                    f"resources/annotations holds files of packet {packet_id}, which shows answers "
                    f"of {name} {id_!r}, but the study does not run it; add it to key `{name}s` of "
                    "the study, or move the files elsewhere"
                )


def main(arguments: Namespace) -> None:
    """Read, check and write; all files must be of the same packet."""
    found = {path: packet_of(path) for path in arguments.annotations}
    packet_id = found[arguments.annotations[0]]
    for path, other in found.items():
        if other != packet_id:
            raise InputError(
                f"{path} is of packet {other}, but {arguments.annotations[0]} of {packet_id}; keep "
                "the files of one packet in resources/annotations"
            )
    kept = arguments.packets / packet_id
    key_path, forms_path = (kept.with_suffix(end) for end in (".key.csv", ".forms.json"))
    for name, path in (("key", key_path), ("form", forms_path)):
        if not path.is_file():
            raise InputError(
                f"{arguments.annotations[0]} is of packet {packet_id}, whose {name} {path} is "
                "missing; put back what was kept when the packet was made"
            )
    key = read_key(key_path, packet_id)
    check_cells(key, files.read_json(arguments.answered)["cells"], packet_id)
    # Of packets whose items have criteria alone.
    criteria_path = kept.with_suffix(".criteria.json")
    criteria = files.read_json(criteria_path) if criteria_path.is_file() else {}
    forms = files.read_json(forms_path)
    table = read_annotations(arguments.annotations, key, forms, criteria)
    inputs = {"key": key_path, "forms": forms_path, "answered": arguments.answered}
    inputs |= {"criteria": criteria_path} if criteria else {}
    inputs |= {f"annotations.{path.name}": path for path in arguments.annotations}
    files.write_table(table, arguments.table, inputs)
    cli.log.info("%d annotations of %d annotators", table.height, table["annotator"].n_unique())


if __name__ == "__main__":
    options = cli.parser(
        __doc__,
        packets="folder that keeps the keys of packets",
        answered="view of the cells of the study",
        table="Parquet file to write",
    )
    options.add_argument(
        "--annotations", type=Path, nargs="+", required=True, help="CSV files of one packet"
    )
    cli.run(main, options)
