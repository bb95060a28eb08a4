# Needs: the responses of a cell whose task asks how sure the model is, and again its weights or
# its server. Leaves: the question behind every answer as the model reads it, with its proof; what
# the model says to it; and the stated confidences, one row per greedy answer.


rule second_turn:
    input:
        prompts=asked,
        responses="results/responses/{model}/{task}/{persona}.parquet",
        tried="results/second_turns/{model}/{task}.parquet",
        question=view("verbalized/{task}"),
        read_out=view("read_out/{task}"),
        template=view("templates/{model}"),
        manifest=manifest,
        code=code("second_turn"),
    output:
        "results/second_turns/{model}/{task}/{persona}.parquet",
    log:
        "logs/second_turn/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.models),
        task=one_of(STUDY.verbalized_tasks),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    params:
        model_file=model_file,
    shell:
        script("second_turn")
        + " --prompts {input.prompts} --responses {input.responses}"
        " --question {input.question} --read-out {input.read_out}"
        " --template {input.template} --manifest {input.manifest}"
        " --config-file {params.model_file}"
        " --delivered {output} --log {log}"


use rule generate as state with:
    input:
        delivered="results/second_turns/{model}/{task}/{persona}.parquet",
        decoding=view("verbalized_decoding/{task}"),
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        weights=weights,
        steering=steering,
        code=code("generate"),
    output:
        "results/statements/{model}/{task}/{persona}.parquet",
    log:
        "logs/state/{model}/{task}/{persona}.log",
    benchmark:
        "logs/benchmarks/state/{model}/{task}/{persona}.tsv"
    wildcard_constraints:
        model=one_of(STUDY.local_models),
        task=one_of(STUDY.verbalized_tasks),
        persona=one_of(STUDY.personas),


use rule ask_server as state_server with:
    input:
        delivered="results/second_turns/{model}/{task}/{persona}.parquet",
        decoding=view("verbalized_decoding/{task}"),
        source=view("models/{model}"),
        code=code("ask_server"),
    output:
        "results/statements/{model}/{task}/{persona}.parquet",
    log:
        "logs/state/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.servers),
        task=one_of(STUDY.verbalized_tasks),
        persona=one_of(STUDY.personas),


rule verbalize:
    input:
        responses="results/responses/{model}/{task}/{persona}.parquet",
        statements="results/statements/{model}/{task}/{persona}.parquet",
        code=code("verbalize"),
    output:
        "results/verbalized/{model}/{task}/{persona}.parquet",
    log:
        "logs/verbalize/{model}/{task}/{persona}.log",
    wildcard_constraints:
        task=one_of(STUDY.verbalized_tasks),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    shell:
        script("verbalize")
        + " --responses {input.responses} --statements {input.statements}"
        " --verbalized {output} --log {log}"
