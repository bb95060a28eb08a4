# Needs: the responses of all cells. Leaves: what becomes of a sample of each when it is computed
# in other ways. Made when asked for by name, not with the default study.


rule audit:
    input:
        delivered="results/delivered/{model}/{task}/{persona}.parquet",
        responses=first_answers,
        decoding=first_decoding,
        engine=view("engine/{model}"),
        manifest="resources/models/{model}/manifest.json",
        weights=weights,
        steering=steering,
        code=code("audit"),
    output:
        "results/audit/{model}/{task}/{persona}.parquet",
    log:
        "logs/audit/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.local_models),
        persona=one_of(STUDY.personas),
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
        sample=STUDY.settings["audit_sample"],
        seed=STUDY.settings["seed"],
    shell:
        script("audit")
        + " --delivered {input.delivered} --responses {input.responses}"
        " --decoding {input.decoding} --engine {input.engine} {params.steering}"
        " --manifest {input.manifest} --config-file {params.model_file}"
        " --sample {params.sample} --seed {params.seed} --threads {threads}"
        " --audit {output} --log {log}"


rule audit_server:
    input:
        delivered="results/delivered/{model}/{task}/{persona}.parquet",
        responses=first_answers,
        decoding=first_decoding,
        source=view("models/{model}"),
        code=code("audit"),
    output:
        "results/audit/{model}/{task}/{persona}.parquet",
    log:
        "logs/audit/{model}/{task}/{persona}.log",
    wildcard_constraints:
        model=one_of(STUDY.servers),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    resources:
        server=1,
    params:
        model_file=model_file,
        sample=STUDY.settings["audit_sample"],
        seed=STUDY.settings["seed"],
    shell:
        script("audit")
        + " --delivered {input.delivered} --responses {input.responses}"
        " --decoding {input.decoding} --source {input.source}"
        " --config-file {params.model_file}"
        " --sample {params.sample} --seed {params.seed} --audit {output} --log {log}"


rule tabulate_audit:
    input:
        audits=cells("results/audit/{cell}.parquet"),
        cells=VIEWS["answered"],
        code=code("tabulate_audit"),
    output:
        report(
            "results/audit/invariance.csv",
            caption="../report/audit.rst",
            category="Tables",
            subcategory="Audit",
            labels={
                "table": "invariance",
                "a row is": "a cell, computed again in one way",
            },
        ),
    log:
        "logs/tabulate_audit/tables.log",
    conda:
        ENVIRONMENT
    shell:
        script("tabulate_audit") + " --cells {input.cells} --audits results/audit"
        " --table {output} --log {log}"
