# Needs: the scores of tasks and of their arms that say what they are about. Leaves: a table that puts
# the arms of one attribute beside each other.

COMPARED_ARMS = [id_ for arms in STUDY.compared_arms.values() for id_ in arms]


if COMPARED_ARMS:

    rule compare_arms:
        input:
            scores=sorted(
                f"results/scores/{cell.path}.parquet"
                for cell in STUDY.cells
                if cell.task in {*STUDY.compared_arms, *COMPARED_ARMS}
            ),
            cases=sorted(
                {
                    f"resources/datasets/{STUDY.tasks[id_]['dataset']}.parquet"
                    for id_ in COMPARED_ARMS
                }
            ),
            view=VIEWS["arms"],
            statistics=VIEWS["statistics"],
            code=code("compare_arms", *kind_tables_code()),
        output:
            parquet="results/tables/arm_attributes.parquet",
            csv=in_report(["arm_attributes"], "../report/arms.rst", "Cells"),
        log:
            "logs/tabulate/arms.log",
        conda:
            ENVIRONMENT
        shell:
            script("compare_arms")
            + " --view {input.view} --statistics {input.statistics}"
            " --scores results/scores --items resources/datasets"
            " --table {output.parquet} --log {log}"
