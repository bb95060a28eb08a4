# Needs: the YAML files of the study. Leaves: the library on the path. A file that would make
# Snakemake run code stops here: config/config.yaml before it is read. What --configfile names has
# been read by now; for a study of someone else, `python workflow/scripts/check_study.py` comes first.

import os
import sys
from pathlib import Path

LIBRARY = Path(workflow.basedir) / "workflow"
sys.path.insert(0, str(LIBRARY))

from persona_paradox.config import check_study_file
from persona_paradox.errors import InputError

try:
    for study_file in map(Path, ["config/config.yaml", *workflow.configfiles]):
        check_study_file(study_file, os.path.relpath(study_file))
except InputError as error:
    sys.exit(f"error: {error}")
