# Needs: the scores of tasks whose answers are labels. Leaves: how they stand to what several raters
# say, where a data set has that, and conformal sets, where the study asks for some.

from persona_paradox.study.ambiguity import conformal_tasks
from persona_paradox.study.products import AMBIGUITY_TABLES, CONFORMAL_TABLES
from persona_paradox.study.raters import rated_tasks

if STUDY.has("distribution"):

    rule compare_raters:
        input:
            scores=scores_of(rated_tasks(STUDY)),
            cases=cases_of(rated_tasks(STUDY)),
            view=VIEWS["ambiguity"],
            statistics=VIEWS["statistics"],
            code=code("compare_raters", *code_of_kinds(rated_tasks(STUDY))),
        output:
            expand("results/tables/{table}.parquet", table=AMBIGUITY_TABLES),
            in_report(AMBIGUITY_TABLES, "../report/ambiguity.rst", "Cells"),
        log:
            "logs/tabulate/ambiguity.log",
        conda:
            ENVIRONMENT
        shell:
            script("compare_raters")
            + " --view {input.view} --statistics {input.statistics} --scores results/scores"
            " --items resources/datasets --tables results/tables --log {log}"


if STUDY.has("conformal"):

    rule find_sets:
        input:
            scores=scores_of(conformal_tasks(STUDY)),
            view=VIEWS["conformal"],
            statistics=VIEWS["statistics"],
            code=code("find_sets", *code_of_kinds(conformal_tasks(STUDY))),
        output:
            expand("results/tables/{table}.parquet", table=CONFORMAL_TABLES),
            in_report(CONFORMAL_TABLES, "../report/conformal.rst", "Cells"),
        log:
            "logs/tabulate/conformal.log",
        conda:
            ENVIRONMENT
        shell:
            script("find_sets")
            + " --view {input.view} --statistics {input.statistics} --scores results/scores"
            " --tables results/tables --log {log}"
