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
            labels={"figure": "{figure}"},
        ),
    log:
        "logs/plot/{figure}.log",
    wildcard_constraints:
        figure="|".join(FIGURES),
    conda:
        "../../environment.yml"
    shell:
        script("plot") + " --figure {wildcards.figure} --tables results/tables"
        " --settings {input.figures} --pdf {output.pdf} --png {output.png} --log {log}"
