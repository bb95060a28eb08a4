# Needs: the sources of models and data sets. Leaves: under resources/, each model's weights
# with a manifest, and each data set as one row per item with a manifest. A broken connection
# is tried again inside the job; a wrong checksum is not worth a second download.


rule download_model:
    input:
        source="resources/models/{model}/source.json",
        code=code("download_model"),
    output:
        model="resources/models/{model}/source.gguf",
        manifest="resources/models/{model}/source_manifest.json",
    log:
        "logs/download_model/{model}.log",
    shell:
        script("download_model") + " --source {input.source}"
        " --config-file config/models/{wildcards.model}.yaml"
        ' --data-dir "${{PERSONA_DATA_DIR:-}}"'
        " --model {output.model} --manifest {output.manifest} --log {log}"


rule prepare_model:
    input:
        manifest="resources/models/{model}/source_manifest.json",
        # The manifest holds the checksum of the weights and stands for them.
        model=ancient("resources/models/{model}/source.gguf"),
        prepare="results/config/prepare/{model}.json",
        code=code("prepare_model"),
    output:
        model="resources/models/{model}/model.gguf",
        manifest="resources/models/{model}/manifest.json",
    log:
        "logs/prepare_model/{model}.log",
    shell:
        script("prepare_model") + " --source {input.model} --source-manifest {input.manifest}"
        " --prepare {input.prepare} --model {output.model} --manifest {output.manifest}"
        " --log {log}"


def bundled_file(wildcards):
    """The file of a bundled data set, which git may change; other sources are checksummed."""
    source = STUDY.datasets[wildcards.dataset]["source"]
    return [source["path"]] if source["kind"] == "bundled" else []


rule download_dataset:
    input:
        reading="resources/datasets/{dataset}.source.json",
        bundled=bundled_file,
        code=code("download_dataset"),
    output:
        cases="resources/datasets/{dataset}.parquet",
        manifest="resources/datasets/{dataset}.manifest.json",
    log:
        "logs/download_dataset/{dataset}.log",
    shell:
        script("download_dataset") + " --reading {input.reading}"
        " --config-file config/datasets/{wildcards.dataset}.yaml"
        ' --data-dir "${{PERSONA_DATA_DIR:-}}"'
        " --items {output.cases} --manifest {output.manifest} --log {log}"
