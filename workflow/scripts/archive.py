"""Describe what a study leaves as an RO-Crate, and pack it into an archive."""

import sys
import zipfile
from argparse import Namespace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow"))

from persona_paradox import cli, files
from persona_paradox.archive import crate
from persona_paradox.study.provenance import study_of


def inside(name: str) -> list[str]:
    """A file, or the files of a folder."""
    path = Path(name)
    if not path.is_dir():
        return [name]
    # Snakemake marks a folder that it made by a hidden file.
    found = (file for file in path.rglob("[!.]*") if file.is_file())
    return sorted(file.as_posix() for file in found)


def main(arguments: Namespace) -> None:
    """Write the description, and the archive if one is wanted."""
    provenance = files.read_json(Path(crate.PROVENANCE))
    study = study_of(provenance["configuration"])
    more = [path for name in arguments.files for path in inside(name)]
    members = crate.Members(study, ROOT, [crate.PROVENANCE, *more])
    if arguments.archive is None:
        sums = crate.write(members, None)
        files.write_text(arguments.crate, crate.describe(study, provenance, sums))
    else:
        with (
            files.atomic_path(arguments.archive) as temporary,
            zipfile.ZipFile(temporary, "w") as made,
        ):
            sums = crate.write(members, made)
            described = crate.describe(study, provenance, sums)
            crate.add(made, crate.CRATE, described.encode())
    cli.log.info("%d files, %d bytes", len(sums), sum(size for size, _ in sums.values()))
    for id_ in crate.restricted(study):
        cli.log.info("the texts of %s may not be passed on and are left out", id_)


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument(
        "--files",
        nargs="+",
        default=[],
        help="tables, figures and other results; folders as a whole",
    )
    wanted = options.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--crate", type=Path, help="ro-crate-metadata.json to write")
    wanted.add_argument("--archive", type=Path, help="zip file to write, with that inside")
    cli.run(main, options)
