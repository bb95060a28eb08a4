# Needs: prompts and a prepared model, or a data set with a human rater's levels.
# Leaves: the responses of one cell, one row per answer.


rule generate:
    input:
        prompts="results/prompts/{task}/{persona}.parquet",
        decoding=view("decoding/{task}"),
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        # The manifest holds the checksum of the weights and stands for them.
        model=ancient("resources/models/{model}/model.gguf"),
        code=code("generate"),
    output:
        "results/responses/{model}/{task}/{persona}.parquet",
    log:
        "logs/generate/{model}/{task}/{persona}.log",
    benchmark:
        "logs/benchmarks/generate/{model}/{task}/{persona}.tsv"
    wildcard_constraints:
        model="|".join(STUDY.models),
        persona="|".join(STUDY.personas),
    conda:
        "../../environment.yml"
    threads: engine_threads
    shell:
        script("generate") + " --prompts {input.prompts} --decoding {input.decoding}"
        " --engine {input.engine} --model {input.model} --manifest {input.manifest}"
        " --config-file config/models/{wildcards.model}.yaml --threads {threads}"
        " --responses {output} --log {log}"


rule rate:
    input:
        cases=task_cases,
        scoring=view("scoring/{task}"),
        code=code("rate"),
    output:
        f"results/responses/{HUMAN}/{{task}}/{{persona}}.parquet",
    log:
        f"logs/generate/{HUMAN}/{{task}}/{{persona}}.log",
    conda:
        "../../environment.yml"
    shell:
        script("rate") + " --items {input.cases} --scoring {input.scoring}"
        " --rater {wildcards.persona} --responses {output} --log {log}"
