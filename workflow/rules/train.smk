# Needs: what the base of an adapter reads of a task's training items and of files, and references.
# Leaves: under results/training, the examples of an adapter; under resources/adapters, the adapter
# itself, with a manifest and its losses by step. It is trained in an environment of its own
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
    shell:
        script("check_training")
        + " --adapter {wildcards.adapter} --ready {output} --log {log}"


rule gather_examples:
    input:
        view=view("examples/{adapter}"),
        delivered=training_cells("results/delivered/{cell}.parquet"),
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
    shell:
        script("gather_examples")
        + " --view {input.view} --delivered results/delivered/{params.base}"
        " --items resources/datasets --template {input.template} --manifest {input.manifest}"
        " --config-file config/adapters/{wildcards.adapter}.yaml"
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
    shell:
        script("train_adapter")
        + " --examples {input.examples} --settings {input.settings} --base {input.base}"
        " --config-file config/adapters/{wildcards.adapter}.yaml"
        " --adapter {output.adapter} --manifest {output.manifest} --curve {output.losses}"
        " --checkpoints resources/adapters/{wildcards.adapter}/checkpoints --log {log}"
