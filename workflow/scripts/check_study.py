"""Say what a study would run and take, before it runs: answers, time, room, what is missing.

Snakemake runs code that stands in a study behind the key `__use_yte__`: so this comes first. What
a study leaves out, config/config.yaml says.

    python workflow/scripts/check_study.py config/studies/theirs.yaml
"""

import sys
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persona_paradox.environment import check_environment

check_environment()

from snakemake.utils import update_config

from persona_paradox import cli
from persona_paradox.errors import InputError
from persona_paradox.judges import price
from persona_paradox.planning.forecast import forecast
from persona_paradox.planning.told import told
from persona_paradox.schema import check_schema
from persona_paradox.study.load import load_study
from persona_paradox.study.yaml_reading import check_study_file, read_yaml

DEFAULT = Path("config/config.yaml")
RESOURCES = Path("resources")


def main(arguments: Namespace) -> None:
    """Check every file, and tell what each study takes."""
    for path in arguments.studies:
        if not path.exists():
            raise InputError(f"{path} does not exist; name the file of a study")
        check_study_file(path, str(path))
        cli.log.info("%s is plain YAML", path)
    if not DEFAULT.is_file():
        cli.log.info(
            "%s has no %s, so that nothing else is said; start this in the folder of the project",
            *(Path.cwd(), DEFAULT),
        )
    for path in arguments.studies if DEFAULT.is_file() else ():
        settings = read_yaml(DEFAULT, str(DEFAULT))
        update_config(settings, read_yaml(path, str(path)))
        study = load_study(settings, DEFAULT.parent, check_schema)
        for line in told(study, forecast(study, Path(), RESOURCES), Path(), RESOURCES):
            cli.log.info("%s: %s", path, line)
        for line in price.told(study, Path(), RESOURCES / "datasets"):
            cli.log.info("%s: %s", path, line)


if __name__ == "__main__":
    options = cli.parser(__doc__)
    options.add_argument("studies", type=Path, nargs="+", help="YAML files")
    cli.run(main, options)
