# Needs: the scores and the judgements of a base and of what became of it in cycles. Leaves: a table of
# every cycle's numbers and of how they differ from the base's.

CYCLE_FAMILIES = families(STUDY)
CYCLE_MODELS = [model for one in CYCLE_FAMILIES for model in one["models"].values()]


if CYCLE_FAMILIES:

    rule compare_cycles:
        input:
            scores=sorted(
                f"results/scores/{cell.path}.parquet"
                for cell in STUDY.cells_having("measures")
                if cell.model in CYCLE_MODELS
            ),
            judgements=sorted(
                f"results/judgements/{judge}/{cell.path}.parquet"
                for judge in JUDGES
                for cell in STUDY.judged_cells(judge)
                if cell.model in CYCLE_MODELS
            ),
            tables=expand(
                "results/tables/{table}.parquet",
                table=["judges", "judgements"] if JUDGES else [],
            ),
            cases=sorted(
                {
                    f"resources/datasets/{STUDY.tasks[task]['dataset']}.parquet"
                    for task in JUDGED_TASKS
                }
            ),
            # What went on after a cycle.
            manifests=choices(CYCLE_MODELS),
            view=VIEWS["cycles"],
            judged=VIEWS["judged"] if JUDGES else [],
            statistics=VIEWS["statistics"],
            code=code(
                "compare_cycles",
                *kind_tables_code(),
                *kind_modules("judged"),
            ),
        output:
            parquet="results/tables/cycles.parquet",
            csv=in_report(CYCLE_TABLES, "../report/cycles.rst", "Cells"),
        log:
            "logs/tabulate/cycles.log",
        conda:
            ENVIRONMENT
        params:
            judged=lambda w, input: (
                f"--judged {input.judged} --tables results/tables" if JUDGES else ""
            ),
        shell:
            script("compare_cycles")
            + " --view {input.view} --statistics {input.statistics} {params.judged}"
            " --scores results/scores --judgements results/judgements"
            " --items resources/datasets --adapters resources/adapters --table {output.parquet} --log {log}"
