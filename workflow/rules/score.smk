# Needs: the responses of a cell. Leaves: its scores, one row per answer.


rule score:
    input:
        responses="results/responses/{model}/{task}/{persona}.parquet",
        cases=lambda wildcards: f"resources/datasets/{task_dataset(wildcards)}.parquet",
        scoring="results/config/scoring/{task}.json",
        code=code("score"),
    output:
        "results/scores/{model}/{task}/{persona}.parquet",
    log:
        "logs/score/{model}/{task}/{persona}.log",
    shell:
        script("score") + " --responses {input.responses} --items {input.cases}"
        " --scoring {input.scoring} --scores {output} --log {log}"
