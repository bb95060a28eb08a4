# Needs: the scores of models with an adapter and of their bases, where the study asks both. Leaves:
# a table of what tuning does to the personas.

from persona_paradox.study.tuning import tuned_models, tuned_tasks

TUNED_TASKS = tuned_tasks(STUDY)


if TUNED_TASKS:

    rule compare_tuning:
        input:
            scores=sorted(
                f"results/scores/{model}/{task}/{persona}.parquet"
                for derived in tuned_models(STUDY)
                for model in (split(derived)[0], derived)
                for task in TUNED_TASKS
                for persona in STUDY.personas
            ),
            # Whether anything went on, of adapters that are chosen.
            manifests=choices(tuned_models(STUDY)),
            view=VIEWS["tuning"],
            statistics=VIEWS["statistics"],
            code=code("compare_tuning", *kind_tables_code()),
        output:
            parquet="results/tables/tuning.parquet",
            csv=in_report(["tuning"], "../report/tuning.rst", "Cells"),
        log:
            "logs/tabulate/tuning.log",
        conda:
            ENVIRONMENT
        shell:
            script("compare_tuning")
            + " --view {input.view} --statistics {input.statistics}"
            " --scores results/scores --adapters resources/adapters --table {output.parquet} --log {log}"
