# Persona Paradox: what a medical persona does to a language model's clinical behaviour.
# download → prompts → deliver → generate → verbalize → score → calibrate → measure → tabulate → plot → report
#                                  └→ judge, clinicians → assess, agree ────────────────┘

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/study_files.smk"


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/captions.smk"
include: "workflow/rules/trained.smk"
include: "workflow/rules/steered.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/perturb.smk"
include: "workflow/rules/prompts.smk"
include: "workflow/rules/deliver.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/steps.smk"
include: "workflow/rules/turns.smk"
include: "workflow/rules/verbalize.smk"
include: "workflow/rules/identify.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/clinicians.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/measured.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/tabulate.smk"
include: "workflow/rules/ambiguity.smk"
include: "workflow/rules/arms.smk"
include: "workflow/rules/tuned.smk"
include: "workflow/rules/survival.smk"
include: "workflow/rules/axis.smk"
include: "workflow/rules/cycles.smk"
include: "workflow/rules/plot.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/archive.smk"
include: "workflow/rules/progress.smk"


rule all:
    default_target: True
    input:
        FIGURE_FILES,
        TABLE_FILES,
        "results/provenance.json",
        "results/report.html",
        "results/ro-crate-metadata.json",
