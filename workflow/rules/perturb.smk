# Needs: the items of a data set, and an arm of a task. Leaves: the same items, changed by the arm's
# rule, with a manifest; a sample is drawn as of the unchanged ones.


rule perturb:
    input:
        cases=lambda w: f"resources/datasets/{base_of(w.dataset)}.parquet",
        manifest=lambda w: f"resources/datasets/{base_of(w.dataset)}.manifest.json",
        arm=view("arms/{dataset}"),
        code=lambda w: code(
            "perturb", f"data/arms/{STUDY.datasets[w.dataset]['arm']['rule']}.py"
        ),
    output:
        cases="resources/datasets/{dataset}.parquet",
        manifest="resources/datasets/{dataset}.manifest.json",
    log:
        "logs/perturb/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(STUDY.changed_datasets),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        name=lambda w: STUDY.datasets[w.dataset]["arm"]["name"],
    shell:
        script("perturb")
        + " --items {input.cases} --base-manifest {input.manifest} --arm {input.arm}"
        " --changed {output.cases} --manifest {output.manifest}"
        " --name {params.name:q} --log {log}"
