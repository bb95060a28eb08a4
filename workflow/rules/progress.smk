# Needs: all rules. Leaves: at the start of a run on this machine a process that starts its jobs
# (`persona_paradox.launch`); a line for every judge that it asks, of what the study's judge costs; and
# a line at the foot of the terminal that says how far the run is, but not where the output goes to
# a file. Neither with `--quiet progress`; never in a dry run. A run that has ended waits no more.

import threading

from snakemake.logging import logger
from snakemake.settings.enums import Quietness

from persona_paradox.judges import price
from persona_paradox.launch.start import start_server
from persona_paradox.progress import Progress, Run, is_terminal

SILENT = {Quietness.PROGRESS, Quietness.ALL} & {*(workflow.output_settings.quiet or [])}
PROGRESS = None
if is_terminal(sys.stdout, sys.stderr) and not SILENT:
    PROGRESS = Progress(sys.stderr, Run.of(workflow.rules, STORE))
    logger.addHandler(PROGRESS)


def no_more_looks():
    """Stop the timers by which Snakemake looks for work again: its process ends when they do."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


onstart:
    if workflow.is_main_process and workflow.local_exec:
        start_server()
    if not SILENT:
        jobs = workflow.dag.needrun_jobs()
        chats = [
            job for job in jobs if f"{job.output}".startswith("results/verdicts/")
        ]
        asked = {job.wildcards.judge for job in chats}
        for line in price.told(STUDY, Path(), Path("resources/datasets"), asked):
            logger.info(line)
    if PROGRESS:
        PROGRESS.start()


onsuccess:
    no_more_looks()
    if PROGRESS:
        PROGRESS.stop()


onerror:
    no_more_looks()
    if PROGRESS:
        PROGRESS.stop()
