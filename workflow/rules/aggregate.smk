# Needs: scores and calibration of all cells. Leaves: the tables, as Parquet and CSV.

TABLES = ["cells", "contrasts", "reliability"]


rule aggregate:
    input:
        scores=cells("results/scores/{cell}.parquet", human=True),
        calibration=cells("results/calibration/{cell}.parquet"),
        cells=VIEWS["cells"],
        statistics=VIEWS["statistics"],
        code=code("aggregate"),
    output:
        cells="results/tables/cells.parquet",
        contrasts="results/tables/contrasts.parquet",
        reliability="results/tables/reliability.parquet",
        cells_csv=report(
            "results/tables/cells.csv",
            caption="../report/cells.rst",
            category="Tables",
            labels={"table": "cells"},
        ),
        contrasts_csv=report(
            "results/tables/contrasts.csv",
            caption="../report/contrasts.rst",
            category="Tables",
            labels={"table": "contrasts"},
        ),
        reliability_csv="results/tables/reliability.csv",
    log:
        "logs/aggregate/tables.log",
    conda:
        "../../environment.yml"
    # The cells are named in a file: a large study would not fit on a command line.
    shell:
        script("aggregate") + " --cells {input.cells} --statistics {input.statistics}"
        " --scores results/scores --calibration results/calibration"
        " --tables results/tables --log {log}"
