# Needs: everything that a study leaves. Leaves: what it was made of; the description of all its
# files as an RO-Crate; and, made when asked for by name, the archive that can be deposited.

TABLE_FILES = [
    *expand(
        "results/tables/{table}.{suffix}",
        table=STUDY.tables,
        suffix=["csv", "parquet"],
    ),
    "results/summary.md",
]
FIGURE_FILES = expand(
    "results/figures/{figure}.{suffix}", figure=FIGURES, suffix=["pdf", "png"]
)

# A report that shows what may not be passed on stays out of the archive.
REPORT_FILES = [] if TEXTS_SHOWN and restricted(STUDY) else [REPORT, "results/report"]


# What `make verify` computes again: the tables, and what is in the archive where none is made of it.
rule tables:
    input:
        TABLE_FILES,
        lambda _: sorted(path for path, _ in derived(STUDY)),


rule provenance:
    input:
        view=VIEWS["provenance"],
        answers=sorted(file.path for file in answered(STUDY)),
        manifests=manifests(STUDY),
        cases=expand("resources/datasets/{dataset}.parquet", dataset=STUDY.datasets),
        code=code("write_provenance", *SPECS),
    output:
        "results/provenance.json",
    log:
        "logs/archive/provenance.log",
    conda:
        ENVIRONMENT
    shell:
        script("write_provenance") + " --view {input.view} --provenance {output}"
        " --log {log}"


rule crate:
    input:
        provenance="results/provenance.json",
        cells=study_members(),
        more=TABLE_FILES + FIGURE_FILES + ANNOTATED + REPORT_FILES,
        project=project_files(),
    output:
        "results/ro-crate-metadata.json",
    log:
        "logs/archive/crate.log",
    conda:
        ENVIRONMENT
    shell:
        script("archive") + " --files {input.more} --crate {output} --log {log}"


rule archive:
    input:
        provenance="results/provenance.json",
        cells=study_members(),
        more=TABLE_FILES + FIGURE_FILES + ANNOTATED + REPORT_FILES,
        project=project_files(),
    output:
        "results/archive.zip",
    log:
        "logs/archive/archive.log",
    conda:
        ENVIRONMENT
    shell:
        script("archive") + " --files {input.more} --archive {output} --log {log}"
