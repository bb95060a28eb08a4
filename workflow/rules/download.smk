# Needs: the sources of models, adapters and data sets. Leaves: under resources/, each model's
# weights with a manifest, each adapter with a manifest of it and its model, and each data set as one row per item with a manifest and the sizes of its
# subgroups. A broken connection is tried again inside the job; a wrong checksum is not worth a
# second download.

from persona_paradox.study.sources import training_datasets

# What brings files of the Hugging Face Hub is loaded for these alone.
HUB = "data/hub.py"
BROUGHT_MODELS = [*STUDY.whole_models, *TAKEN_ADAPTERS, *PEFT_ADAPTERS]
# What adapters are trained on counts only where they are trained here.
TRAINED_ON = training_datasets(STUDY)


# All that may come over a network.
rule download:
    input:
        expand("resources/models/{model}/manifest.json", model=BROUGHT_MODELS),
        expand(
            "resources/datasets/{dataset}.manifest.json",
            dataset=[
                id_
                for id_ in STUDY.read_datasets
                if id_ in TRAINED_ON or id_ not in STUDY.training.datasets
            ],
        ),


rule download_model:
    input:
        source=view("models/{model}"),
        code=code("download_model", HUB),
    output:
        model="resources/models/{model}/source.gguf",
        manifest="resources/models/{model}/source_manifest.json",
    log:
        "logs/download_model/{model}.log",
    wildcard_constraints:
        model=one_of(LOADED_MODELS),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        what="model",
        config_file="config/models/{model}.yaml",
    shell:
        script("download_model") + " --what {params.what} --source {input.source}"
        " --config-file {params.config_file}"
        ' --data-dir "${{PERSONA_DATA_DIR:-}}"'
        " --model {output.model} --manifest {output.manifest} --log {log}"


use rule download_model as download_adapter with:
    output:
        model="resources/models/{model}/adapter.gguf",
        manifest="resources/models/{model}/source_manifest.json",
    log:
        "logs/download_adapter/{model}.log",
    wildcard_constraints:
        model=one_of(TAKEN_ADAPTERS),
    params:
        what="adapter",
        config_file=adapter_file,


# A folder of peft becomes a GGUF as its base stands in one, rows of queries and keys among it.
rule convert_adapter:
    input:
        source=view("models/{model}"),
        base=lambda wildcards: f"resources/models/{split(wildcards.model)[0]}/manifest.json",
        # The manifest holds the checksum of the weights and stands for them.
        weights=lambda wildcards: ancient(STUDY.files_of(wildcards.model)[0]),
        code=code("convert_adapter", HUB),
    output:
        model="resources/models/{model}/adapter.gguf",
        manifest="resources/models/{model}/source_manifest.json",
    log:
        "logs/convert_adapter/{model}.log",
    wildcard_constraints:
        model=one_of(PEFT_ADAPTERS),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        config_file=adapter_file,
    shell:
        script("convert_adapter") + " --source {input.source} --base {input.base}"
        " --config-file {params.config_file}"
        ' --data-dir "${{PERSONA_DATA_DIR:-}}"'
        " --adapter {output.model} --manifest {output.manifest} --log {log}"


rule prepare_model:
    input:
        manifest="resources/models/{model}/source_manifest.json",
        # The manifest holds the checksum of the weights and stands for them.
        model=ancient("resources/models/{model}/source.gguf"),
        prepare=view("prepare/{model}"),
        code=code("prepare_model"),
    output:
        model="resources/models/{model}/model.gguf",
        manifest="resources/models/{model}/manifest.json",
    log:
        "logs/prepare_model/{model}.log",
    wildcard_constraints:
        model=one_of(LOADED_MODELS),
    priority: 10
    conda:
        ENVIRONMENT
    shell:
        script("prepare_model")
        + " --source {input.model} --source-manifest {input.manifest}"
        " --prepare {input.prepare} --model {output.model} --manifest {output.manifest}"
        " --config-file config/models/{wildcards.model}.yaml --log {log}"


# An adapter that does not fit its model is told here, before long work.
rule adapt_model:
    input:
        base=lambda wildcards: f"resources/models/{split(wildcards.model)[0]}/manifest.json",
        manifest=adapter_manifest,
        weights=weights,
        scale=view("scale/{model}"),
        code=code("adapt_model"),
    output:
        manifest="resources/models/{model}/manifest.json",
    log:
        "logs/adapt_model/{model}.log",
    wildcard_constraints:
        model=one_of(DERIVED_MODELS),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        config_file=adapter_file,
        adapter=lambda wildcards, input: input.weights[-1],
    shell:
        script("adapt_model")
        + " --base {input.base} --adapter {params.adapter} --adapter-manifest {input.manifest}"
        " --scale {input.scale} --manifest {output.manifest}"
        " --config-file {params.config_file} --log {log}"


rule download_dataset:
    input:
        reading=view("datasets/{dataset}"),
        bundled=bundled_file,
        code=lambda w: code(
            "download_dataset", HUB, *modules(kind_of(w), "spec", "items")
        ),
    output:
        cases="resources/datasets/{dataset}.parquet",
        manifest="resources/datasets/{dataset}.manifest.json",
    log:
        "logs/download_dataset/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(STUDY.read_datasets),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        kind=kind_of,
        config_file=lambda wildcards: file_of("datasets", wildcards.dataset),
    shell:
        script("download_dataset") + " --kind {params.kind} --reading {input.reading}"
        " --config-file {params.config_file}"
        ' --data-dir "${{PERSONA_DATA_DIR:-}}"'
        " --items {output.cases} --manifest {output.manifest} --log {log}"


# What is wrong with subgroups is said before any answer, by the priority of this job. It is one of
# its own, as a change of a subgroup reads no data set anew.
rule check_groups:
    input:
        cases="resources/datasets/{dataset}.parquet",
        groups=view("groups/{dataset}"),
        code=code("check_groups"),
    output:
        "resources/datasets/{dataset}.groups.json",
    log:
        "logs/check_groups/{dataset}.log",
    priority: 20
    conda:
        ENVIRONMENT
    params:
        config_file=lambda wildcards: file_of("datasets", wildcards.dataset),
    shell:
        script("check_groups") + " --items {input.cases} --groups {input.groups}"
        " --config-file {params.config_file}"
        " --sizes {output} --log {log}"
