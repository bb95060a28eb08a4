# Needs: the YAML files of the study. Leaves: ROOT, the folder of the project, also where another
# workflow uses it as a module; CONFIG, the folder of the study's files; the library on the path. A
# file that would make Snakemake run code stops here: config/config.yaml before it is read. What
# --configfile names has been read by now; for a study of someone else, `python
# workflow/scripts/check_study.py` comes first.

import os
import re
import shutil
import sys
from pathlib import Path


def project_folder():
    """The folder that this file is in; of a file on a host, a checkout of its version."""
    here = workflow.current_basedir
    if here.is_local:
        return Path(here.get_path_or_uri(secret_free=True)).parents[1]
    from git import Repo

    # One folder for all versions: paths are inputs of rules, and another path would run them again.
    folder = Path.cwd() / ".snakemake/persona_paradox"
    hosted = here.hosted_repo.repo
    wanted = hosted.commit(here.ref).hexsha
    if not folder.exists():
        temporary = Path(f"{folder}.{os.getpid()}")
        hosted.clone(temporary, no_checkout=True).git.checkout(wanted)
        temporary.rename(folder)
    checkout = Repo(folder)
    if checkout.head.commit.hexsha != wanted:
        checkout.git.fetch(hosted.git_dir, wanted)
        checkout.git.checkout(wanted)
    return folder


ROOT = project_folder()
LIBRARY = ROOT / "workflow"
sys.path.insert(0, str(LIBRARY))

from persona_paradox.study.yaml_reading import check_study_file
from persona_paradox.errors import InputError

# Snakemake looks for its own files by patterns that hold the folder's name, and takes the paths of
# a rule's inputs for patterns.
wildcards = re.findall(r"\{([\w.]+(?:,[^{}]*)?)\}", os.getcwd())
broken = [name for name in wildcards if not name.isidentifier()]
if broken or "{" in os.path.relpath(ROOT):
    sys.exit(
        f"error: the folder {os.getcwd() if broken else ROOT} has braces in its name, "
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

# The files of a copy of this project are its own; a folder with config/config.yaml alone takes the
# rest from the project.
CONFIG = Path("config") if Path("config/tasks").is_dir() else ROOT / "config"
# What the project brings along is named from the folder in which Snakemake was started.
for brought in sorted((ROOT / "resources/bundled").glob("*")):
    place = Path("resources/bundled", brought.name)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(brought, place)
