# Needs: prompts and a prepared model, or a data set with a human rater's levels.
# Leaves: the responses of one cell, one row per answer.


def engine_threads(wildcards):
    return STUDY.models[wildcards.model]["engine"]["threads"]


rule generate:
    input:
        prompts="results/prompts/{task}/{persona}.parquet",
        decoding="results/config/decoding/{task}.json",
        engine="results/config/engine/{model}.json",
        manifest="resources/models/{model}/manifest.json",
        # The manifest holds the checksum of the weights and stands for them.
        model=ancient("resources/models/{model}/model.gguf"),
        code=code("generate"),
    output:
        "results/responses/{model}/{task}/{persona}.parquet",
    wildcard_constraints:
        model="|".join(STUDY.models),
    log:
        "logs/generate/{model}/{task}/{persona}.log",
    benchmark:
        "logs/benchmarks/generate/{model}/{task}/{persona}.tsv"
    threads: engine_threads
    shell:
        script("generate") + " --prompts {input.prompts} --decoding {input.decoding}"
        " --engine {input.engine} --model {input.model} --manifest {input.manifest}"
        " --config-file config/models/{wildcards.model}.yaml --threads {threads}"
        " --responses {output} --log {log}"


rule rate:
    input:
        cases=lambda wildcards: f"resources/datasets/{task_dataset(wildcards)}.parquet",
        scoring="results/config/scoring/{task}.json",
        code=code("rate"),
    output:
        f"results/responses/{HUMAN}/{{task}}/{{persona}}.parquet",
    log:
        f"logs/generate/{HUMAN}/{{task}}/{{persona}}.log",
    shell:
        script("rate") + " --items {input.cases} --scoring {input.scoring}"
        " --rater {wildcards.persona} --responses {output} --log {log}"
