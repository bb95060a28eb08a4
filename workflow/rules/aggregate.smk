# Needs: scores and calibration of all cells. Leaves: the tables, as Parquet and CSV, and the
# results in words.

# What one rule writes together: every table of cells and of contrasts.
CELL_TABLES = [
    "cells",
    "contrasts",
    "robustness",
    "spread",
    "confusion",
    "calibration",
    "reliability",
    "risk_coverage",
    "subgroups",
]
TABLES = CELL_TABLES + ["variance", "interaction"]
# What a study has: no triage, no judge, and nothing for clinicians are possible.
WANTED_TABLES = (
    (TABLES if STUDY.tasks_of(TRIAGE) else []) + JUDGED_TABLES + AGREEMENT_TABLES
)


rule aggregate:
    input:
        scores=cells("results/scores/{cell}.parquet", human=True, kind=TRIAGE),
        calibration=cells("results/calibration/{cell}.parquet", kind=TRIAGE),
        draws=cells("results/calibration/{cell}.draws.parquet", kind=TRIAGE),
        cases=triage_cases(),
        cells=VIEWS["cells"],
        statistics=VIEWS["statistics"],
        code=code("aggregate"),
    output:
        expand("results/tables/{table}.parquet", table=CELL_TABLES),
        in_report(CELL_TABLES, "../report/table.rst", "Triage"),
    log:
        "logs/aggregate/tables.log",
    conda:
        "../../environment.yml"
    threads: len(STUDY.models) * len(STUDY.tasks_of(TRIAGE))
    # The cells are named in a file: a large study would not fit on a command line.
    shell:
        script("aggregate") + " --cells {input.cells} --statistics {input.statistics}"
        " --scores results/scores --calibration results/calibration"
        " --items resources/datasets --tables results/tables --threads {threads} --log {log}"


rule decompose:
    input:
        scores=cells("results/scores/{cell}.parquet", kind=TRIAGE),
        cells=VIEWS["cells"],
        statistics=VIEWS["statistics"],
        code=code("decompose"),
    output:
        expand("results/tables/{table}.parquet", table=["variance", "interaction"]),
        in_report(["variance", "interaction"], "../report/decomposed.rst", "Triage"),
    log:
        "logs/aggregate/decompose.log",
    conda:
        "../../environment.yml"
    shell:
        script("decompose") + " --cells {input.cells} --statistics {input.statistics}"
        " --scores results/scores --tables results/tables --log {log}"


rule summarize:
    input:
        tables=expand("results/tables/{table}.parquet", table=WANTED_TABLES),
        figures=VIEWS["judged_figures"],
        statistics=VIEWS["statistics"],
        code=code("summarize"),
    output:
        report(
            "results/summary.md",
            caption="../report/summary.rst",
            category="Summary",
            labels={"text": "results in words"},
        ),
    log:
        "logs/aggregate/summary.log",
    conda:
        "../../environment.yml"
    shell:
        script("summarize") + " --tables results/tables --settings {input.figures}"
        " --statistics {input.statistics} --summary {output} --log {log}"
