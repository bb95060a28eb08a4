# Needs: the tables. Leaves: the figures, as PDF for papers and PNG for screens.

from persona_paradox.figures.captions import Captions
from persona_paradox.figures.catalogue import figures

ALL_FIGURES = {id_: figures()[id_] for id_ in STUDY.possible_figures}
# Where all are asked for, those of judges and clinicians need one of them.
FIGURES = (
    [
        id_
        for id_, figure in ALL_FIGURES.items()
        if figure.kind is not None or JUDGES or ANNOTATIONS
    ]
    if STUDY.settings["figures"] == ALL
    else STUDY.settings["figures"]
)
# What the captions in workflow/report/figure.rst name.
config["captions"] = Captions(ALL_FIGURES, STUDY.settings)


def figure_tables(wildcards):
    """The tables of a figure; without judges there are none of theirs, and it says so."""
    needed = ALL_FIGURES[wildcards.figure].needs
    return [f"results/tables/{t}.parquet" for t in needed if t in STUDY.possible_tables]


def figure_settings(wildcards):
    """The view that a figure takes its words from."""
    kind = ALL_FIGURES[wildcards.figure].kind
    return VIEWS["judged_figures" if kind is None else f"figures/{kind}"]


def figure_owner(wildcards):
    """Whose figure it is: the kind of task, or judges, or clinicians."""
    return ALL_FIGURES[wildcards.figure].folder.rpartition("/")[2].capitalize()


def figure_labels(wildcards):
    return {"figure": wildcards.figure, "shows": ALL_FIGURES[wildcards.figure].shows}


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
