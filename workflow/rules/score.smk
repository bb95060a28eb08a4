# Needs: the responses of a cell, and the confidences stated about them, if its task asks for
# them. Leaves: its scores, one row per answer to an item.


rule score:
    input:
        responses="results/responses/{model}/{task}/{persona}.parquet",
        cases=task_cases,
        scoring=view("scoring/{task}"),
        verbalized=verbalized,
        code=kind_code("score", "scoring"),
    output:
        "results/scores/{model}/{task}/{persona}.parquet",
    log:
        "logs/score/{model}/{task}/{persona}.log",
    wildcard_constraints:
        task=one_of(
            [*STUDY.tasks_having("scoring"), *(c.task for c in rounds_of(STUDY, None))]
        ),
    priority: 2
    conda:
        ENVIRONMENT
    params:
        kind=kind_of,
        verbalized=verbalized_option,
    shell:
        script("score")
        + " --kind {params.kind} --responses {input.responses} --items {input.cases}"
        " --scoring {input.scoring} {params.verbalized} --scores {output} --log {log}"
