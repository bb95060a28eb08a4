# Needs: the scores and the calibration of a model in a task. Leaves: its measures and all that is
# compared, in groups of items as well, with the tables of the task's kind.

# Everything that is measured.
MEASURED = sorted(
    f"results/measures/{model}/{task}/{table}.parquet"
    for model, task in {(c.model, c.task) for c in STUDY.measured_cells}
    for table in measured_tables(STUDY.kind(task))
)

# One rule for each kind: they differ in their tables and their code.
for KIND in STUDY.measured_kinds:

    rule:
        name:
            f"measure_{KIND}"
        input:
            scores=measured_files("scores", ".parquet"),
            calibration=measured_calibration,
            recalibration=measured_recalibration,
            base_scores=base_scores,
            asked=asked_scores,
            cases=task_cases,
            groups=measured_groups,
            view=view("measures/{task}"),
            statistics=VIEWS["statistics"],
            code=code("measure", *kind_measures_code(KIND)),
        output:
            expand(
                "results/measures/{{model}}/{{task}}/{table}.parquet",
                table=measured_tables(KIND),
            ),
        log:
            "logs/measure/{model}/{task}.log",
        wildcard_constraints:
            task=one_of([t for t in STUDY.tasks if STUDY.kind(t) == KIND]),
        priority: 2
        conda:
            ENVIRONMENT
        params:
            kind=KIND,
            options=measured_options,
        shell:
            script("measure") + " --kind {params.kind} --model {wildcards.model}"
            " --task {wildcards.task} --view {input.view} --statistics {input.statistics}"
            " --scores results/scores/{wildcards.model}/{wildcards.task} --items {input.cases}"
            " --measures results/measures/{wildcards.model}/{wildcards.task}"
            " {params.options} --log {log}"
