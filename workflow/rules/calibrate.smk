# Needs: the scores of a cell. Leaves: its calibration figures, its reliability bins and its curve of
# selective accuracy; and the bootstrap draws of the figures, from which the tables take paired
# differences. And, where the study asks for it, the figures after recalibration, of all cells of a
# model and a task: netcal takes longer to import than it needs for many cells.


rule calibrate:
    input:
        scores="results/scores/{model}/{task}/{persona}.parquet",
        settings=VIEWS["calibrate"],
        code=code("calibrate"),
    output:
        calibration="results/calibration/{model}/{task}/{persona}.parquet",
        draws="results/calibration/{model}/{task}/{persona}.draws.parquet",
    log:
        "logs/calibrate/{model}/{task}/{persona}.log",
    wildcard_constraints:
        task=one_of(STUDY.calibrated_tasks),
    priority: 2
    conda:
        ENVIRONMENT
    shell:
        script("calibrate") + " --scores {input.scores} --settings {input.settings}"
        " --calibration {output.calibration} --draws {output.draws} --log {log}"


rule recalibrate:
    input:
        scores=expand(
            "results/scores/{{model}}/{{task}}/{persona}.parquet",
            persona=sorted(STUDY.personas),
        ),
        settings=VIEWS["recalibrate"],
        code=code("recalibrate"),
    output:
        "results/recalibration/{model}/{task}.parquet",
    log:
        "logs/recalibrate/{model}/{task}.log",
    wildcard_constraints:
        task=one_of(STUDY.calibrated_tasks if STUDY.settings["recalibrations"] else []),
    priority: 2
    conda:
        ENVIRONMENT
    # The personas are named in a file: those of a large study would not fit on a command line.
    shell:
        script("recalibrate")
        + " --scores results/scores/{wildcards.model}/{wildcards.task}"
        " --settings {input.settings} --recalibration {output} --log {log}"
