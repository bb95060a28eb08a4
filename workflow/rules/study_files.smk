# Needs: the YAML files of the study. Leaves: the library on the path. A file that would make
# Snakemake run code stops here: config/config.yaml before it is read. What --configfile names has
# been read by now; for a study of someone else, `python workflow/scripts/check_study.py` comes first.

import os
import re
import sys
from pathlib import Path

LIBRARY = Path(workflow.basedir) / "workflow"
sys.path.insert(0, str(LIBRARY))

from persona_paradox.study.yaml_reading import check_study_file
from persona_paradox.errors import InputError

# Snakemake looks for its own files by patterns that hold the folder's name, and takes the paths of
# a rule's inputs for patterns.
wildcards = re.findall(r"\{([\w.]+(?:,[^{}]*)?)\}", os.getcwd())
broken = [name for name in wildcards if not name.isidentifier()]
if broken or "{" in os.path.relpath(workflow.basedir):
    sys.exit(
        f"error: the folder {os.getcwd() if broken else workflow.basedir} has braces in its name, "
        "which Snakemake takes for a wildcard; rename the folder"
    )
if not Path("config/config.yaml").is_file():
    sys.exit(
        f"error: {os.getcwd()} has no config/config.yaml; start Snakemake in the folder of the "
        "project, or name that folder with -d (--directory)"
    )

try:
    for study_file in map(Path, ["config/config.yaml", *workflow.configfiles]):
        check_study_file(study_file, os.path.relpath(study_file))
except InputError as error:
    sys.exit(f"error: {error}")
