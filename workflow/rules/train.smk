# Needs: what the base of an adapter reads of a task's training items and of files, and references.
# Leaves: under results/training, the examples of an adapter; under resources/adapters, the adapter
# itself, with a manifest, its losses by step and their curve. It is trained in an environment of its own
# (`make train`), once: as long as it is there and nothing changed that it was made of, cells take
# it as they take weights.


# Nothing else runs while it is not known that it can be trained here.
rule check_training:
    input:
        code=code("check_training"),
    output:
        temp("results/training/{adapter}/ready"),
    log:
        "logs/check_training/{adapter}.log",
    wildcard_constraints:
        adapter=one_of(ADAPTERS),
    priority: 30
    conda:
        ENVIRONMENT
    params:
        config_file=adapter_file,
    shell:
        script("check_training")
        + " --config-file {params.config_file} --ready {output} --log {log}"


# Answers to training items are judged as those of a study are that a judge reads one by one.
use rule deliver_ratings as deliver_training_ratings with:
    input:
        responses="results/responses/{model}/{task}/{persona}.parquet",
        prompts=asked,
        judge=view("training_judges/{judge}"),
        read_out=view("training_judge_read_out/{judge}"),
        template=of_judge("templates/{model}"),
        manifest=manifest,
        code=code("deliver_to_judge"),
    output:
        "results/training/judging/{judge}/{model}/{task}/{persona}.parquet",
    log:
        "logs/training/judging/{judge}/{model}/{task}/{persona}.log",
    wildcard_constraints:
        judge=one_of(STUDY.training.judges),
        task=one_of(STUDY.training.tasks),
        persona=one_of(PERSONAS),


use rule generate as judge_training with:
    input:
        delivered="results/training/judging/{judge}/{model}/{task}/{persona}.parquet",
        decoding=view("training_judge_decoding/{judge}"),
        engine=of_judge("engine/{model}"),
        manifest=manifest,
        weights=weights,
        code=code("generate"),
    output:
        "results/training/verdicts/{judge}/{model}/{task}/{persona}.parquet",
    log:
        "logs/training/verdicts/{judge}/{model}/{task}/{persona}.log",
    benchmark:
        "logs/benchmarks/training_verdicts/{judge}/{model}/{task}/{persona}.tsv"
    wildcard_constraints:
        judge=one_of(STUDY.training.judges),
        task=one_of(STUDY.training.tasks),
        persona=one_of(PERSONAS),


use rule read_ratings as read_training_ratings with:
    input:
        responses="results/responses/{model}/{task}/{persona}.parquet",
        prompts=asked,
        judge=view("training_judges/{judge}"),
        view=view("training_verdicts/{judge}"),
        verdicts="results/training/verdicts/{judge}/{model}/{task}/{persona}.parquet",
        code=code("read_ratings"),
    output:
        "results/training/judgements/{judge}/{model}/{task}/{persona}.parquet",
    log:
        "logs/training/read_ratings/{judge}/{model}/{task}/{persona}.log",
    wildcard_constraints:
        judge=one_of(STUDY.training.judges),
        task=one_of(STUDY.training.tasks),
        persona=one_of(PERSONAS),


# What such a judge makes of answers of known worth, where it must be usable.
use rule deliver_checks as deliver_training_checks with:
    input:
        judge=view("training_judges/{judge}"),
        read_out=view("training_judge_read_out/{judge}"),
        view=view("training_judge_classes/{judge}"),
        template=of_judge("templates/{model}"),
        manifest=manifest,
        sanity=checks("sanity"),
        injections=checks("injections"),
        classes=checks("sanity_classes"),
        authors=checks("authors"),
        code=code("deliver_checks"),
    output:
        ratings="results/training/checks/{judge}/delivered/ratings.parquet",
        pairs="results/training/checks/{judge}/delivered/pairs.parquet",
    log:
        "logs/training/checks/{judge}/deliver.log",
    wildcard_constraints:
        judge=one_of(TESTED_JUDGES),


use rule generate as judge_training_checks with:
    input:
        delivered="results/training/checks/{judge}/delivered/{form}.parquet",
        decoding=view("training_judge_decoding/{judge}"),
        engine=of_judge("engine/{model}"),
        manifest=manifest,
        weights=weights,
        code=code("generate"),
    output:
        "results/training/checks/{judge}/verdicts/{form}.parquet",
    log:
        "logs/training/checks/{judge}/verdicts/{form}.log",
    benchmark:
        "logs/benchmarks/training_checks/{judge}/{form}.tsv"
    wildcard_constraints:
        judge=one_of(TESTED_JUDGES),
        form="ratings|pairs",


use rule read_checks as read_training_checks with:
    input:
        judge=view("training_judges/{judge}"),
        view=view("training_verdicts/{judge}"),
        ratings="results/training/checks/{judge}/verdicts/ratings.parquet",
        pairs="results/training/checks/{judge}/verdicts/pairs.parquet",
        sanity=checks("sanity"),
        injections=checks("injections"),
        classes=checks("sanity_classes"),
        authors=checks("authors"),
        code=code("read_checks"),
    output:
        ratings="results/training/checks/{judge}/ratings.parquet",
        pairs="results/training/checks/{judge}/pairs.parquet",
    log:
        "logs/training/checks/{judge}/read.log",
    wildcard_constraints:
        judge=one_of(TESTED_JUDGES),


rule gather_examples:
    input:
        view=view("examples/{adapter}"),
        delivered=training_cells("results/delivered/{cell}.parquet"),
        answers=training_answers,
        cases=training_cases,
        files=training_files,
        template=lambda wildcards: VIEWS[f"templates/{trained_base(wildcards)}"],
        manifest=of_trained_base("resources/models/{model}/manifest.json"),
        code=training_code,
    output:
        "results/training/{adapter}/examples.parquet",
    log:
        "logs/gather_examples/{adapter}.log",
    wildcard_constraints:
        adapter=one_of(ADAPTERS),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        base=trained_base,
        config_file=adapter_file,
    shell:
        script("gather_examples")
        + " --view {input.view} --delivered results/delivered"
        " --answers results/responses --judgements results/training/judgements"
        " --items resources/datasets --template {input.template} --manifest {input.manifest}"
        " --config-file {params.config_file}"
        " --model-file config/models/{params.base}.yaml"
        " --examples {output} --log {log}"


rule train_adapter:
    input:
        ready="results/training/{adapter}/ready",
        examples="results/training/{adapter}/examples.parquet",
        settings=view("training/{adapter}"),
        base=of_trained_base("resources/models/{model}/manifest.json"),
        # The manifest holds the checksum of the weights and stands for them.
        weights=ancient(of_trained_base("resources/models/{model}/model.gguf")),
        before=cycle_before,
        code=lambda wildcards: code("train_adapter"),
    output:
        adapter="resources/adapters/{adapter}/adapter.gguf",
        manifest="resources/adapters/{adapter}/manifest.json",
        losses="resources/adapters/{adapter}/losses.parquet",
    log:
        "logs/train_adapter/{adapter}.log",
    benchmark:
        "logs/benchmarks/train_adapter/{adapter}.tsv"
    wildcard_constraints:
        adapter=one_of(ADAPTERS),
    priority: 10
    conda:
        ENVIRONMENT
    threads: training_threads
    params:
        config_file=adapter_file,
        before=before_option,
    shell:
        script("train_adapter")
        + " --examples {input.examples} --settings {input.settings} --base {input.base}"
        " --config-file {params.config_file} {params.before}"
        " --adapter {output.adapter} --manifest {output.manifest} --curve {output.losses}"
        " --checkpoints resources/adapters/{wildcards.adapter}/checkpoints --log {log}"


# By answers to items that are kept for validation. Where none is better than the adapter of the
# cycle before, that one goes on, in all later cycles, and these train nothing.
rule choose_adapter:
    input:
        view=view("validation/{adapter}"),
        answers=training_answers,
        cases=training_cases,
        manifests=candidates_of("manifest.json"),
        # The manifests hold the checksums of the adapters and stand for them.
        adapters=ancient(candidates_of("adapter.gguf")),
        before=cycle_before,
        tests=judge_tests,
        code=lambda wildcards: code(
            "choose_adapter",
            *modules(training_tasks(wildcards)[0]["kind"], "preference"),
        ),
    output:
        adapter="resources/adapters/{adapter}/adapter.gguf",
        manifest="resources/adapters/{adapter}/manifest.json",
    log:
        "logs/choose_adapter/{adapter}.log",
    wildcard_constraints:
        adapter=one_of(CHOSEN_ADAPTERS),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        before=before_option,
        tests=judge_tests_option,
    shell:
        script("choose_adapter") + " --view {input.view} --answers results/responses"
        " --judgements results/training/judgements --items resources/datasets"
        " --adapters resources/adapters {params.before} {params.tests}"
        " --adapter {output.adapter} --manifest {output.manifest} --log {log}"


# What `make train` makes: the adapters that the study names for it. Those of cycles rest on all
# before them.
rule train:
    input:
        expand("resources/adapters/{adapter}/adapter.gguf", adapter=NAMED_ADAPTERS),
        expand(
            "resources/adapters/{adapter}/curve.pdf",
            adapter=[id_ for id_ in NAMED_ADAPTERS if id_ in ADAPTERS],
        ),


rule plot_training:
    input:
        losses="resources/adapters/{adapter}/losses.parquet",
        code=code("plot_training"),
    output:
        "resources/adapters/{adapter}/curve.pdf",
    log:
        "logs/plot_training/{adapter}.log",
    wildcard_constraints:
        adapter=one_of(ADAPTERS),
    conda:
        ENVIRONMENT
    shell:
        script("plot_training")
        + " --adapter {wildcards.adapter} --losses {input.losses} --curve {output} --log {log}"
