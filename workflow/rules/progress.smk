# Needs: all rules. Leaves: a line at the foot of the terminal that says how far a run is. Not with
# `--quiet progress`, nor where the output goes to a file; never in a dry run.

from snakemake.logging import logger
from snakemake.settings.enums import Quietness

from persona_paradox.progress import Progress, Run, is_terminal

SILENT = {Quietness.PROGRESS, Quietness.ALL} & {*(workflow.output_settings.quiet or [])}
PROGRESS = None
if is_terminal(sys.stdout, sys.stderr) and not SILENT:
    PROGRESS = Progress(sys.stderr, Run.of(workflow.rules, STORE))
    logger.addHandler(PROGRESS)


onstart:
    if PROGRESS:
        PROGRESS.start()


onsuccess:
    if PROGRESS:
        PROGRESS.stop()


onerror:
    if PROGRESS:
        PROGRESS.stop()
