# Needs: the tables. Leaves: the figures, as PDF for papers and PNG for screens.

# Where all are asked for, those of judges and clinicians need one of them.
FIGURES = (
    [
        figure
        for figure in STUDY.possible_figures
        if figure in TRIAGE_FIGURES or JUDGES or ANNOTATIONS
    ]
    if STUDY.settings["figures"] == ALL
    else STUDY.settings["figures"]
)
JUDGED = [
    id_ for id_ in STUDY.possible_tables if id_ in JUDGED_TABLES + CLINICIAN_TABLES
]


rule plot:
    input:
        tables=expand("results/tables/{table}.parquet", table=CELL_TABLES),
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
        figure="|".join(TRIAGE_FIGURES),
    priority: 2
    conda:
        ENVIRONMENT
    params:
        names=CELL_TABLES,
    shell:
        script("plot") + " --figure {wildcards.figure} --tables results/tables"
        " --names {params.names} --settings {input.figures}"
        " --pdf {output.pdf} --png {output.png} --log {log}"


# A study without judges or annotations has none of these tables; its figures say so.
use rule plot as plot_judged with:
    input:
        tables=expand("results/tables/{table}.parquet", table=JUDGED),
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
        names=JUDGED,
