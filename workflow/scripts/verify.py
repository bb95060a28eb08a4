"""Check the archive of a study: compute a sample of its answers and all its tables again.

    python workflow/scripts/verify.py ARCHIVE

The code is this project's own, never that of the archive. Tables are computed from the stored
answers; answers by the engine, where the model can be had: from resources/models, else from the
source that the archive's configuration names. Texts that an archive must not hold are taken from
their own source (PERSONA_DATA_DIR).
"""

import sys
import tempfile
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

from persona_paradox import cli
from persona_paradox.archive import crate
from persona_paradox.archive.check_answers import check_answers
from persona_paradox.archive.check_description import check_description, check_sums
from persona_paradox.archive.check_tables import check_items, check_others, check_tables
from persona_paradox.archive.options import add_limit, count
from persona_paradox.archive.project_copy import Copy
from persona_paradox.archive.reading import read_study
from persona_paradox.archive.verification import Findings
from persona_paradox.errors import InputError


def main(arguments: Namespace) -> None:
    """Check everything, and fail where something does not agree."""
    if arguments.folder is not None and not arguments.folder.is_dir():
        raise InputError(f"--folder names {arguments.folder}, which is no folder; make it first")
    findings = Findings()
    with tempfile.TemporaryDirectory(prefix="verify-", dir=arguments.folder) as folder:
        theirs = Path(folder) / "archive"
        names = crate.unpack(arguments.archive, theirs, arguments.most_bytes)
        check_sums(theirs, names, findings)
        study = read_study(theirs)
        check_description(theirs, study, names, findings)
        copy = Copy(study, theirs, Path(folder) / "copy", arguments.cores)
        copy.fill()
        check_tables(copy, findings)
        check_others(copy, names, findings)
        check_answers(copy, findings, arguments.sample, arguments.seed)
        check_items(copy, findings)
    findings.report()
    if findings.n_differences:
        raise InputError(
            f"{arguments.archive} differs in {findings.n_differences} places; see the lines above"
        )
    cli.log.info("nothing differs in %s", arguments.archive)


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("archive", type=Path, help="zip file that somebody made of a study")
    options.add_argument("--sample", type=count, default=20, help="answers to compute again")
    options.add_argument("--seed", type=count, default=1, help="seed of the sample")
    options.add_argument("--cores", default="all", help="as snakemake --cores")
    add_limit(options)
    options.add_argument("--folder", type=Path, help="for temporary files, else the system's")
    cli.run(main, options)
