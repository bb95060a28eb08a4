# Needs: what was measured of every model and task. Leaves: the tables, as Parquet and CSV, and the
# results in words.


rule tabulate:
    input:
        measures=MEASURED,
        cells=VIEWS["cells"],
        statistics=VIEWS["statistics"],
        code=code("tabulate", *kind_tables_code()),
    output:
        expand("results/tables/{table}.parquet", table=STUDY.cell_tables),
        in_report(STUDY.cell_tables, "../report/table.rst", "Cells"),
    log:
        "logs/tabulate/tables.log",
    priority: 2
    conda:
        ENVIRONMENT
    # The models and tasks are named in a file: they would not fit on a command line.
    shell:
        script("tabulate") + " --cells {input.cells} --statistics {input.statistics}"
        " --measures results/measures --tables results/tables --log {log}"


rule decompose:
    input:
        scores=cells("results/scores/{cell}.parquet", module="measures"),
        cells=VIEWS["cells"],
        statistics=VIEWS["statistics"],
        code=code("decompose"),
    output:
        expand("results/tables/{table}.parquet", table=DECOMPOSED_TABLES),
        in_report(DECOMPOSED_TABLES, "../report/decomposed.rst", "Cells"),
    log:
        "logs/tabulate/decompose.log",
    conda:
        ENVIRONMENT
    shell:
        script("decompose") + " --cells {input.cells} --statistics {input.statistics}"
        " --scores results/scores --tables results/tables --log {log}"


if STUDY.factor_tasks:

    rule tell_factors:
        input:
            scores=factor_scores(),
            view=VIEWS["factors"],
            code=code("tell_factors", *kind_factors_code()),
        output:
            expand("results/tables/{table}.parquet", table=FACTOR_TABLES),
            in_report(FACTOR_TABLES, "../report/factors.rst", "Cells"),
        log:
            "logs/tabulate/factors.log",
        conda:
            ENVIRONMENT
        shell:
            script("tell_factors") + " --view {input.view} --scores results/scores"
            " --tables results/tables --log {log}"


if STUDY.has("routing"):

    rule value_policies:
        input:
            scores=scores_of(routed_tasks(STUDY)),
            cases=cases_of(routed_tasks(STUDY)),
            view=VIEWS["routing"],
            statistics=VIEWS["statistics"],
            code=code("value_policies", *code_of_kinds(routed_tasks(STUDY))),
        output:
            expand("results/tables/{table}.parquet", table=ROUTING_TABLES),
            in_report(ROUTING_TABLES, "../report/policies.rst", "Policies"),
        log:
            "logs/tabulate/policies.log",
        conda:
            ENVIRONMENT
        shell:
            script("value_policies")
            + " --view {input.view} --statistics {input.statistics} --scores results/scores"
            " --items resources/datasets --tables results/tables --log {log}"


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
        "logs/tabulate/summary.log",
    conda:
        ENVIRONMENT
    params:
        names=STUDY.tables,
        # First what says how many answers are right.
        kinds=sorted(STUDY.kinds, key=lambda id_: not base.traits(id_).reference),
    shell:
        script("summarize") + " --tables results/tables --names {params.names}"
        " --kinds {params.kinds} --settings {input.figures}"
        " --statistics {input.statistics} --summary {output} --log {log}"
