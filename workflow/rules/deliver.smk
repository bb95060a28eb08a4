# Needs: prompts, and a prepared model's vocabulary or a server's chat template. Leaves: what each
# model reads, one row per prompt, with the proof that it holds our words and no others; and the
# table of all proofs. Cheap, and so done before long work, wherever a scheduler has the choice.


rule deliver:
    input:
        prompts=asked,
        persona=persona_texts,
        tried=tried,
        read_out=view("read_out/{task}"),
        template=view("templates/{model}"),
        window=view("window/{model}/{task}"),
        manifest=manifest,
        code=code("deliver"),
    output:
        "results/delivered/{model}/{task}/{persona}.parquet",
    log:
        "logs/deliver/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of([*STUDY.models, *ASKED_MODELS]),
        persona=one_of(PERSONAS),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        model_file=model_file,
        task_file=lambda wildcards: file_of("tasks", wildcards.task),
    shell:
        script("deliver") + " --prompts {input.prompts} --persona {input.persona}"
        " --read-out {input.read_out}"
        " --template {input.template} --manifest {input.manifest}"
        " --window {input.window}"
        " --config-file {params.model_file}"
        " --task-file {params.task_file}"
        " --delivered {output} --log {log}"


rule tabulate_delivery:
    input:
        delivered=cells("results/delivered/{cell}.parquet"),
        # Whoever looks at prompts before they ask a model is told what is wrong with the data set.
        groups=group_sizes(),
        cells=VIEWS["answered"],
        windows=VIEWS["windows"],
        code=code("tabulate_delivery"),
    output:
        parquet="results/tables/delivery.parquet",
        csv=in_report(["delivery"], "../report/delivery.rst", "Delivery"),
    log:
        "logs/tabulate_delivery/tables.log",
    conda:
        ENVIRONMENT
    shell:
        script("tabulate_delivery")
        + " --cells {input.cells} --windows {input.windows} --delivered results/delivered"
        " --parquet {output.parquet} --csv {output.csv} --log {log}"
