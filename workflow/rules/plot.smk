# Needs: the tables. Leaves: the figures, as PDF for papers and PNG for screens.

# Where all are asked for, those of judges and clinicians need one of them.
FIGURES = (
    [
        id_
        for id_, figure in ALL_FIGURES.items()
        if figure.kind is not None or figure.only_with or JUDGES or ANNOTATIONS
    ]
    if STUDY.settings["figures"] == ALL
    else STUDY.settings["figures"]
)


rule plot:
    input:
        tables=figure_tables,
        settings=figure_settings,
        code=lambda wildcards: code("plot", ALL_FIGURES[wildcards.figure].path),
    output:
        pdf="results/figures/{figure}.pdf",
        png=report(
            "results/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            subcategory=figure_owner,
            labels=figure_labels,
        ),
    log:
        "logs/plot/{figure}.log",
    wildcard_constraints:
        figure=one_of(ALL_FIGURES),
    priority: 2
    conda:
        ENVIRONMENT
    shell:
        script("plot") + " --figure {wildcards.figure} --tables {input.tables}"
        " --settings {input.settings} --pdf {output.pdf} --png {output.png} --log {log}"


# Those of Vega-Lite, with their rows, as the report's page draws them.
rule specify:
    input:
        tables=figure_tables,
        settings=figure_settings,
        code=lambda wildcards: code("plot", ALL_FIGURES[wildcards.figure].path),
    output:
        "results/specifications/{figure}.json",
    log:
        "logs/specify/{figure}.log",
    wildcard_constraints:
        figure=one_of(ALL_FIGURES),
    conda:
        ENVIRONMENT
    shell:
        script("plot") + " --figure {wildcards.figure} --tables {input.tables}"
        " --settings {input.settings} --json {output} --log {log}"
