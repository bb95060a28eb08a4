# Needs: the tables. Leaves: the figures, as PDF for papers and PNG for screens.

FIGURES = [
    "triage_accuracy",
    "reliability",
    "risk_coverage",
    "risk_plane",
    "sensitivity_criterion",
    "confusion",
    "consistency",
    "persona_effect",
    "spread",
    "subgroup_effects",
]
JUDGED_FIGURES = [
    "safety",
    "action_shares",
    "win_matrix",
    "bradley_terry",
    "judge_quality",
    "agreement",
    "judge_human",
]
WANTED_FIGURES = (FIGURES if STUDY.tasks_of(TRIAGE) else []) + (
    JUDGED_FIGURES if JUDGES or ANNOTATIONS else []
)


rule plot:
    input:
        tables=expand("results/tables/{table}.parquet", table=TABLES),
        figures=VIEWS["figures"],
        code=code("plot"),
    output:
        pdf="results/figures/{figure}.pdf",
        png=report(
            "results/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            subcategory="Triage",
            labels=figure_labels,
        ),
    log:
        "logs/plot/{figure}.log",
    wildcard_constraints:
        figure="|".join(FIGURES),
    conda:
        "../../environment.yml"
    params:
        names=TABLES,
    shell:
        script("plot") + " --figure {wildcards.figure} --tables results/tables"
        " --names {params.names} --settings {input.figures}"
        " --pdf {output.pdf} --png {output.png} --log {log}"


# A study without judges or annotations has none of these tables; its figures say so.
use rule plot as plot_judged with:
    input:
        tables=expand(
            "results/tables/{table}.parquet", table=JUDGED_TABLES + AGREEMENT_TABLES
        ),
        figures=VIEWS["judged_figures"],
        code=code("plot"),
    output:
        pdf="results/figures/{figure}.pdf",
        png=report(
            "results/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            subcategory="Judges and clinicians",
            labels=figure_labels,
        ),
    wildcard_constraints:
        figure="|".join(JUDGED_FIGURES),
    params:
        names=JUDGED_TABLES + AGREEMENT_TABLES,
