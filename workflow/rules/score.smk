# Needs: the responses of a cell. Leaves: its scores, one row per answer.


rule score:
    input:
        responses="results/responses/{model}/{task}/{persona}.parquet",
        cases=task_cases,
        scoring=view("scoring/{task}"),
        code=code("score"),
    output:
        "results/scores/{model}/{task}/{persona}.parquet",
    log:
        "logs/score/{model}/{task}/{persona}.log",
    conda:
        "../../environment.yml"
    shell:
        script("score") + " --responses {input.responses} --items {input.cases}"
        " --scoring {input.scoring} --scores {output} --log {log}"
