# Needs: what a model reads, and its weights or its server; of a model that thinks, or of a task that
# lets it reason. Leaves: the thoughts; the reasonings; what it reads behind each of them; its
# answers there; and the responses of the cell, in which all steps are one row.
#
# thinks:             thoughts → answers → responses
# reasons:            reasonings → conclusions → responses
# thinks and reasons: thoughts → reasonings → conclusions → responses


use rule generate as think with:
    input:
        delivered="results/delivered/{model}/{task}/{persona}.parquet",
        decoding=view("thoughts/{model}/{task}"),
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        weights=weights,
        steering=steering,
        code=code("generate"),
    output:
        "results/thoughts/{model}/{task}/{persona}.parquet",
    log:
        "logs/think/{model}/{task}/{persona}.log",
    benchmark:
        "logs/benchmarks/think/{model}/{task}/{persona}.tsv"
    wildcard_constraints:
        model=one_of(THINKING_HERE),
        task=one_of(STUDY.asked_tasks),
        persona=one_of(STUDY.personas),


use rule ask_server as think_server with:
    input:
        delivered="results/delivered/{model}/{task}/{persona}.parquet",
        decoding=view("thoughts/{model}/{task}"),
        source=view("models/{model}"),
        code=code("ask_server"),
    output:
        "results/thoughts/{model}/{task}/{persona}.parquet",
    log:
        "logs/think/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(THINKING_AFAR),
        task=one_of(STUDY.asked_tasks),
        persona=one_of(STUDY.personas),


rule deliver_behind_thoughts:
    input:
        prompts=asked,
        thoughts="results/thoughts/{model}/{task}/{persona}.parquet",
        read_out=view("read_out/{task}"),
        template=view("templates/{model}"),
        manifest=manifest,
        code=code("deliver_behind"),
    output:
        "results/{step}_delivered/{model}/{task}/{persona}.parquet",
    log:
        "logs/deliver_{step}/{model}/{task}/{persona}.log",
    wildcard_constraints:
        step="answers|reasonings",
        model=one_of(STUDY.thinking_models),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    params:
        model_file=model_file,
    shell:
        script("deliver_behind")
        + " --prompts {input.prompts} --thoughts {input.thoughts} --read-out {input.read_out}"
        " --template {input.template} --manifest {input.manifest}"
        " --config-file {params.model_file}"
        " --delivered {output} --log {log}"


use rule generate as answer_behind_thought with:
    input:
        delivered="results/answers_delivered/{model}/{task}/{persona}.parquet",
        decoding=view("decoding/{task}"),
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        weights=weights,
        steering=steering,
        code=code("generate"),
    output:
        "results/answers/{model}/{task}/{persona}.parquet",
    wildcard_constraints:
        model=one_of(THINKING_HERE),
        task=one_of(ONE_STEP),
        persona=one_of(STUDY.personas),


use rule ask_server as answer_behind_thought_server with:
    input:
        delivered="results/answers_delivered/{model}/{task}/{persona}.parquet",
        decoding=view("decoding/{task}"),
        source=view("models/{model}"),
        code=code("ask_server"),
    output:
        "results/answers/{model}/{task}/{persona}.parquet",
    wildcard_constraints:
        model=one_of(THINKING_AFAR),
        task=one_of(ONE_STEP),
        persona=one_of(STUDY.personas),


use rule generate as reason with:
    input:
        delivered=reasoned_on,
        decoding=view("decoding/{task}"),
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        weights=weights,
        steering=steering,
        code=code("generate"),
    output:
        "results/reasonings/{model}/{task}/{persona}.parquet",
    log:
        "logs/reason/{model}/{task}/{persona}.log",
    benchmark:
        "logs/benchmarks/reason/{model}/{task}/{persona}.tsv"
    wildcard_constraints:
        model=one_of(STUDY.local_models),
        task=one_of(REASONED),
        persona=one_of(STUDY.personas),


use rule ask_server as reason_server with:
    input:
        delivered=reasoned_on,
        decoding=view("decoding/{task}"),
        source=view("models/{model}"),
        code=code("ask_server"),
    output:
        "results/reasonings/{model}/{task}/{persona}.parquet",
    log:
        "logs/reason/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.servers),
        task=one_of(REASONED),
        persona=one_of(STUDY.personas),


rule deliver_conclusions:
    input:
        prompts=asked,
        thoughts=thoughts,
        reasonings="results/reasonings/{model}/{task}/{persona}.parquet",
        rationale=view("rationale/{task}"),
        read_out=view("conclusion_read_out/{task}"),
        template=view("templates/{model}"),
        manifest=manifest,
        code=code("deliver_behind"),
    output:
        "results/conclusions_delivered/{model}/{task}/{persona}.parquet",
    log:
        "logs/deliver_conclusions/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.models),
        task=one_of(REASONED),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    params:
        model_file=model_file,
        thoughts=thoughts_option,
    shell:
        script("deliver_behind")
        + " --prompts {input.prompts} {params.thoughts} --reasonings {input.reasonings}"
        " --rationale {input.rationale} --read-out {input.read_out}"
        " --template {input.template} --manifest {input.manifest}"
        " --config-file {params.model_file}"
        " --delivered {output} --log {log}"


use rule generate as answer_behind with:
    input:
        delivered="results/conclusions_delivered/{model}/{task}/{persona}.parquet",
        decoding=view("conclusion_decoding/{task}"),
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        weights=weights,
        steering=steering,
        code=code("generate"),
    output:
        "results/conclusions/{model}/{task}/{persona}.parquet",
    log:
        "logs/conclude/{model}/{task}/{persona}.log",
    benchmark:
        "logs/benchmarks/conclude/{model}/{task}/{persona}.tsv"
    wildcard_constraints:
        model=one_of(STUDY.local_models),
        task=one_of(REASONED),
        persona=one_of(STUDY.personas),


use rule ask_server as answer_behind_server with:
    input:
        delivered="results/conclusions_delivered/{model}/{task}/{persona}.parquet",
        decoding=view("conclusion_decoding/{task}"),
        source=view("models/{model}"),
        code=code("ask_server"),
    output:
        "results/conclusions/{model}/{task}/{persona}.parquet",
    log:
        "logs/conclude/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.servers),
        task=one_of(REASONED),
        persona=one_of(STUDY.personas),


rule conclude:
    input:
        prompts=asked,
        thoughts=thoughts,
        reasonings="results/reasonings/{model}/{task}/{persona}.parquet",
        rationale=view("rationale/{task}"),
        answers="results/conclusions/{model}/{task}/{persona}.parquet",
        code=code("conclude"),
    output:
        "results/responses/{model}/{task}/{persona}.parquet",
    log:
        "logs/assemble/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.models),
        task=one_of(REASONED),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    params:
        thoughts=thoughts_option,
    shell:
        script("conclude")
        + " --prompts {input.prompts} {params.thoughts} --reasonings {input.reasonings}"
        " --rationale {input.rationale} --answers {input.answers}"
        " --responses {output} --log {log}"


rule put_thoughts_beside:
    input:
        prompts=asked,
        thoughts="results/thoughts/{model}/{task}/{persona}.parquet",
        answers="results/answers/{model}/{task}/{persona}.parquet",
        code=code("conclude"),
    output:
        "results/responses/{model}/{task}/{persona}.parquet",
    log:
        "logs/assemble/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.thinking_models),
        task=one_of(ONE_STEP),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    shell:
        script("conclude") + " --prompts {input.prompts} --thoughts {input.thoughts}"
        " --answers {input.answers} --responses {output} --log {log}"


rule tabulate_thoughts:
    input:
        responses=[
            f"results/responses/{cell.path}.parquet"
            for cell in STUDY.cells
            if cell.model in STUDY.thinking_models
        ],
        cells=VIEWS["thinking"],
        code=code("tabulate_thoughts"),
    output:
        parquet="results/tables/thoughts.parquet",
        csv=in_report(["thoughts"], "../report/thoughts.rst", "Thoughts"),
    log:
        "logs/tabulate_thoughts/tables.log",
    conda:
        ENVIRONMENT
    shell:
        script("tabulate_thoughts")
        + " --cells {input.cells} --responses results/responses"
        " --parquet {output.parquet} --csv {output.csv} --log {log}"
