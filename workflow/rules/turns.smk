# Needs: the responses of a cell that the user says something behind. Leaves: the chats of its next
# turn, one row per answer, which are delivered and answered like any others. And, before long work:
# that the template of a model has as many turns as a task asks for.


rule try_second_turn:
    input:
        prompts=first_round,
        further=lambda w: list(further(w).values()),
        cases=spoken_cases,
        read_out=view("read_out/{task}"),
        template=view("templates/{model}"),
        manifest=manifest,
        code=code("second_turn"),
    output:
        "results/second_turns/{model}/{task}.parquet",
    log:
        "logs/try_second_turn/{model}/{task}.log",
    wildcard_constraints:
        model=one_of(STUDY.models),
        task=one_of({*STUDY.before, *STUDY.verbalized_tasks, *STUDY.identified_tasks}),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        model_file=model_file,
        further=lambda w: " ".join(f"--{k} {path}" for k, path in further(w).items()),
        spoken=spoken_option,
    shell:
        script("second_turn")
        + " --prompts {input.prompts} {params.further} {params.spoken}"
        " --read-out {input.read_out} --template {input.template} --manifest {input.manifest}"
        " --config-file {params.model_file}"
        " --delivered {output} --log {log}"


rule next_turn:
    input:
        prompts=lambda w: f"{STUDY.prompts_of(w.model, STUDY.before[w.task])}/{w.persona}.parquet",
        responses=lambda w: f"results/responses/{w.model}/{STUDY.before[w.task]}/{w.persona}.parquet",
        turns=view("turns/{task}"),
        cases=spoken_cases,
        read_out=view("read_out/{task}"),
        code=code("next_turn"),
    output:
        "results/turns/{model}/{task}/{persona}.parquet",
    log:
        "logs/next_turn/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.models),
        task=one_of(STUDY.before),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    params:
        spoken=spoken_option,
    shell:
        script("next_turn")
        + " --prompts {input.prompts} --responses {input.responses}"
        " --turns {input.turns} {params.spoken} --read-out {input.read_out} --chats {output} --log {log}"
