"""See that a study of someone else is plain YAML, before Snakemake reads it.

Snakemake runs code that stands in a study behind the key `__use_yte__`.

    python workflow/scripts/check_study.py config/studies/theirs.yaml
"""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox import cli
from persona_paradox.study.yaml_reading import check_study_file


def main(arguments: Namespace) -> None:
    """Check every file."""
    for path in arguments.studies:
        check_study_file(path, str(path))
        cli.log.info("%s is plain YAML", path)


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("studies", type=Path, nargs="+", help="YAML files")
    cli.run(main, options)
