# Needs: the scores of a cell. Leaves: its calibration figures, before and after recalibration, its
# reliability bins and its curve of selective accuracy; and the bootstrap draws of the figures, from
# which the tables take paired differences.


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
    conda:
        "../../environment.yml"
    shell:
        script("calibrate") + " --scores {input.scores} --settings {input.settings}"
        " --calibration {output.calibration} --draws {output.draws} --log {log}"
