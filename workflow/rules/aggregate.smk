# Needs: scores and calibration of all cells. Leaves: the tables, as Parquet and CSV, and the
# results in words.

# The figures after recalibration, of every model and task, where the study asks for them.
RECALIBRATED = (
    expand(
        "results/recalibration/{model}/{task}.parquet",
        model=STUDY.models,
        task=list(STUDY.tasks_having("scoring")),
    )
    if STUDY.settings["recalibrations"]
    else []
)


rule aggregate:
    input:
        scores=cells("results/scores/{cell}.parquet", human=True, module="scoring"),
        calibration=cells("results/calibration/{cell}.parquet", module="scoring"),
        draws=cells("results/calibration/{cell}.draws.parquet", module="scoring"),
        recalibration=RECALIBRATED,
        cases=scored_cases(),
        groups=group_sizes(),
        cells=VIEWS["cells"],
        statistics=VIEWS["statistics"],
        code=code("aggregate"),
    output:
        expand("results/tables/{table}.parquet", table=CELL_TABLES),
        in_report(CELL_TABLES, "../report/table.rst", "Triage"),
    log:
        "logs/aggregate/tables.log",
    priority: 2
    conda:
        ENVIRONMENT
    # One more process pays for 50 cells; a job of several waits until as many cores are free.
    threads:
        min(
            len(STUDY.models) * len(STUDY.tasks_having("scoring")),
            1 + len(STUDY.cells_having("scoring")) // 50,
        )
    # Of a former study, some may lie in the folder.
    params:
        recalibration="--recalibration results/recalibration" if RECALIBRATED else "",
    # The cells are named in a file: a large study would not fit on a command line.
    shell:
        script("aggregate") + " --cells {input.cells} --statistics {input.statistics}"
        " --scores results/scores --calibration results/calibration"
        " {params.recalibration} --items resources/datasets"
        " --tables results/tables --threads {threads} --log {log}"


rule decompose:
    input:
        scores=cells("results/scores/{cell}.parquet", module="scoring"),
        cells=VIEWS["cells"],
        statistics=VIEWS["statistics"],
        code=code("decompose"),
    output:
        expand("results/tables/{table}.parquet", table=DECOMPOSED_TABLES),
        in_report(DECOMPOSED_TABLES, "../report/decomposed.rst", "Triage"),
    log:
        "logs/aggregate/decompose.log",
    conda:
        ENVIRONMENT
    shell:
        script("decompose") + " --cells {input.cells} --statistics {input.statistics}"
        " --scores results/scores --tables results/tables --log {log}"


rule summarize:
    input:
        tables=expand("results/tables/{table}.parquet", table=STUDY.tables),
        figures=VIEWS["judged_figures"],
        statistics=VIEWS["statistics"],
        code=code("summarize", *kind_modules("words")),
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
        ENVIRONMENT
    params:
        names=STUDY.tables,
        kinds=sorted({task["kind"] for task in STUDY.tasks.values()}),
    shell:
        script("summarize") + " --tables results/tables --names {params.names}"
        " --kinds {params.kinds} --settings {input.figures}"
        " --statistics {input.statistics} --summary {output} --log {log}"
