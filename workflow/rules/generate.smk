# Needs: what a model reads, and its weights or its server; or a data set, with a human rater's
# levels or for its words. Leaves: the responses of one cell, one row per answer. What was answered before comes
# out of the response store.
#
# Priorities: what triage needs comes before judges, so that the first figure is there early.


rule generate:
    input:
        delivered="results/delivered/{model}/{task}/{persona}.parquet",
        decoding=view("decoding/{task}"),
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        weights=weights,
        steering=steering,
        code=code("generate"),
    output:
        "results/responses/{model}/{task}/{persona}.parquet",
    log:
        "logs/generate/{model}/{task}/{persona}.log",
    benchmark:
        "logs/benchmarks/generate/{model}/{task}/{persona}.tsv"
    wildcard_constraints:
        model=one_of(
            [
                *(id_ for id_ in STUDY.local_models if id_ not in THINKING_HERE),
                *ANSWERING_MODELS,
            ]
        ),
        task=one_of([*ONE_STEP, *STUDY.training.tasks]),
        persona=one_of(PERSONAS),
    priority: 1
    conda:
        ENVIRONMENT
    threads: engine_threads
    resources:
        gpu=gpu,
        mem_mb=engine_mb,
        runtime=engine_minutes,
    params:
        model_file=model_file,
        steering=steering_option,
    shell:
        script("generate")
        + " --delivered {input.delivered} --decoding {input.decoding}"
        " --engine {input.engine} --manifest {input.manifest} {params.steering}"
        " --config-file {params.model_file} --threads {threads}"
        f" {STORE} --responses {{output}} --log {{log}}"


# Made when asked for by name, before the study: all personas' answers of a model to a task, for
# which the model is loaded once. They go to the response store, from which every cell takes its own.
rule answer_together:
    input:
        delivered=expand(
            "results/delivered/{{model}}/{{task}}/{persona}.parquet",
            # Each of the others has a model of its own, so to speak.
            persona=sorted({*STUDY.personas} - {*STEERED}),
        ),
        decoding=first_decoding,
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        weights=weights,
        code=code("generate"),
    output:
        "results/together/{model}/{task}.json",
    log:
        "logs/answer_together/{model}/{task}.log",
    benchmark:
        "logs/benchmarks/answer_together/{model}/{task}.tsv"
    wildcard_constraints:
        model=one_of([id_ for id_ in STUDY.models if id_ in STUDY.local_models]),
    conda:
        ENVIRONMENT
    threads: engine_threads
    resources:
        gpu=gpu,
        mem_mb=engine_mb,
        runtime=together_minutes,
    params:
        model_file=model_file,
    shell:
        script("generate")
        + " --delivered {input.delivered} --decoding {input.decoding}"
        " --engine {input.engine} --manifest {input.manifest}"
        " --config-file {params.model_file} --threads {threads}"
        f" {STORE} --counts {{output}} --log {{log}}"


rule together:
    input:
        expand(
            "results/together/{model}/{task}.json",
            model=[id_ for id_ in STUDY.models if id_ in STUDY.local_models],
            task=list(STUDY.asked_tasks),
        ),


rule ask_server:
    input:
        delivered="results/delivered/{model}/{task}/{persona}.parquet",
        decoding=view("decoding/{task}"),
        source=view("models/{model}"),
        code=code("ask_server"),
    output:
        "results/responses/{model}/{task}/{persona}.parquet",
    log:
        "logs/generate/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of([id_ for id_ in STUDY.servers if id_ not in THINKING_AFAR]),
        task=one_of(ONE_STEP),
        persona=one_of(STUDY.personas),
    priority: 1
    conda:
        ENVIRONMENT
    # The profile lets one such job run at a time; it keeps several requests in flight.
    resources:
        server=1,
    params:
        model_file=model_file,
    shell:
        script("ask_server")
        + " --delivered {input.delivered} --decoding {input.decoding}"
        " --source {input.source} --config-file {params.model_file}"
        f" {STORE} --responses {{output}} --log {{log}}"


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
        ENVIRONMENT
    shell:
        script("rate") + " --items {input.cases} --scoring {input.scoring}"
        " --rater {wildcards.persona} --responses {output} --log {log}"


# What the words of the cases alone tell: a line that a model should be above.
rule bag_of_words:
    input:
        cases=task_cases,
        view=view("bag_of_words/{task}"),
        scoring=view("scoring/{task}"),
        code=code("bag_of_words"),
    output:
        f"results/responses/{WORDS}/{{task}}/{WORDS}.parquet",
    log:
        f"logs/generate/{WORDS}/{{task}}/{WORDS}.log",
    priority: 1
    conda:
        ENVIRONMENT
    shell:
        script("bag_of_words") + " --items {input.cases} --view {input.view}"
        " --scoring {input.scoring} --responses {output} --log {log}"
