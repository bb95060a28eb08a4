# Needs: the scores of a cell. Leaves: its calibration figures and reliability bins.


rule calibrate:
    input:
        scores="results/scores/{model}/{task}/{persona}.parquet",
        statistics=VIEWS["statistics"],
        code=code("calibrate"),
    output:
        "results/calibration/{model}/{task}/{persona}.parquet",
    log:
        "logs/calibrate/{model}/{task}/{persona}.log",
    conda:
        "../../environment.yml"
    shell:
        script("calibrate")
        + " --scores {input.scores} --statistics {input.statistics}"
        " --calibration {output} --log {log}"
