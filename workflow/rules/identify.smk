# Needs: the prompts and responses of a cell whose model is asked who it is, and again its weights or
# its server. Leaves: the question as the model reads it, before the task and behind its answer; what
# it says; whom it names, one row per item; and the tables of it.


rule ask_before:
    input:
        prompts=asked,
        identification=VIEWS.get("identification", []),
        template=view("templates/{model}"),
        manifest=manifest,
        code=code("ask_identity"),
    output:
        "results/asked_before/{model}/{task}/{persona}.parquet",
    log:
        "logs/ask_before/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.models),
        task=one_of(STUDY.identified_tasks),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    params:
        model_file=model_file,
        behind="",
    shell:
        script("ask_identity") + " --prompts {input.prompts} {params.behind}"
        " --identification {input.identification}"
        " --template {input.template} --manifest {input.manifest}"
        " --config-file {params.model_file} --delivered {output} --log {log}"


use rule ask_before as ask_after with:
    input:
        prompts=asked,
        responses="results/responses/{model}/{task}/{persona}.parquet",
        tried="results/second_turns/{model}/{task}.parquet",
        identification=VIEWS.get("identification", []),
        read_out=view("read_out/{task}"),
        template=view("templates/{model}"),
        manifest=manifest,
        code=code("ask_identity"),
    output:
        "results/asked_after/{model}/{task}/{persona}.parquet",
    log:
        "logs/ask_after/{model}/{task}/{persona}.log",
    params:
        model_file=model_file,
        behind=lambda w, input: f"--responses {input.responses} --read-out {input.read_out}",


use rule generate as name_persona with:
    input:
        delivered="results/asked_{when}/{model}/{task}/{persona}.parquet",
        decoding=VIEWS.get("identification_decoding", []),
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        weights=weights,
        steering=steering,
        code=code("generate"),
    output:
        "results/named_{when}/{model}/{task}/{persona}.parquet",
    log:
        "logs/name_persona/{when}/{model}/{task}/{persona}.log",
    benchmark:
        "logs/benchmarks/name_persona/{when}/{model}/{task}/{persona}.tsv"
    wildcard_constraints:
        when=one_of(WHEN),
        model=one_of(STUDY.local_models),
        task=one_of(STUDY.identified_tasks),
        persona=one_of(STUDY.personas),


use rule ask_server as name_persona_server with:
    input:
        delivered="results/asked_{when}/{model}/{task}/{persona}.parquet",
        decoding=VIEWS.get("identification_decoding", []),
        source=view("models/{model}"),
        code=code("ask_server"),
    output:
        "results/named_{when}/{model}/{task}/{persona}.parquet",
    log:
        "logs/name_persona/{when}/{model}/{task}/{persona}.log",
    wildcard_constraints:
        when=one_of(WHEN),
        model=one_of(STUDY.servers),
        task=one_of(STUDY.identified_tasks),
        persona=one_of(STUDY.personas),


rule identify:
    input:
        responses="results/responses/{model}/{task}/{persona}.parquet",
        before="results/named_before/{model}/{task}/{persona}.parquet",
        after="results/named_after/{model}/{task}/{persona}.parquet",
        identification=VIEWS.get("identification", []),
        code=code("identify"),
    output:
        "results/identified/{model}/{task}/{persona}.parquet",
    log:
        "logs/identify/{model}/{task}/{persona}.log",
    wildcard_constraints:
        task=one_of(STUDY.identified_tasks),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    shell:
        script("identify")
        + " --responses {input.responses} --before {input.before} --after {input.after}"
        " --identification {input.identification} --identified {output} --log {log}"


if STUDY.has("identification"):

    rule tabulate_identification:
        input:
            identified=sorted(
                f"results/identified/{cell.path}.parquet"
                for cell in STUDY.cells
                if cell.task in STUDY.identified_tasks
            ),
            judgements=judged_files(
                "results/judgements/{judge}/{model}/{task}/{persona}.parquet",
                STUDY.naming_judges,
            ),
            judges=["results/tables/judges.parquet"] if STUDY.naming_judges else [],
            cases=sorted(
                {
                    f"resources/datasets/{STUDY.tasks[task]['dataset']}.parquet"
                    for task in named_tasks(STUDY)
                }
            ),
            view=VIEWS["identified"],
            statistics=VIEWS["statistics"],
            code=code("tabulate_identification"),
        output:
            expand("results/tables/{table}.parquet", table=IDENTIFICATION_TABLES),
            in_report(IDENTIFICATION_TABLES, "../report/identification.rst", "Cells"),
        log:
            "logs/tabulate/identification.log",
        conda:
            ENVIRONMENT
        params:
            judges=lambda w, input: f"--judges {input.judges}" if input.judges else "",
        shell:
            script("tabulate_identification") + " --view {input.view}"
            " --statistics {input.statistics} --identified results/identified"
            " --judgements results/judgements {params.judges}"
            " --items resources/datasets --tables results/tables --log {log}"
