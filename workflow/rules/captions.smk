# Needs: the study. Leaves: what `snakemake --report` says beside the study, its tables and its
# figures. Captions of tables are in workflow/report, those of figures beside what draws them.

from persona_paradox.figures.captions import Captions
from persona_paradox.figures.catalogue import figures


report: "../report/workflow.rst"


ALL_FIGURES = {id_: figures()[id_] for id_ in STUDY.possible_figures}
# What the captions in workflow/report/figure.rst name.
config["captions"] = Captions(ALL_FIGURES, STUDY.settings)

# What a row of a table is.
ROW_IS = {
    "measures": "a measure of a model, task, persona and wording, or of a group of its items",
    "cells": "a model, task, persona and wording",
    "contrasts": "a figure under a persona against the baseline, on the same items",
    "robustness": "a verdict on a persona",
    "spread": "the spread of effects over wordings, or over controls",
    "calibration": "a calibration figure, before or after recalibration",
    "reliability": "a bin of a reliability diagram",
    "risk_coverage": "a point of a risk–coverage curve",
    "subgroups": "a figure in a group of items",
    "variance": "a source of variance",
    "interaction": "a persona's effect in a context, or how far two contexts differ in it",
    "arm_attributes": "a figure of the arms of one attribute",
    "cycles": "a figure of a cycle of alignment, under a persona or of a judge",
    "factors": "an effect of a factor of a set of personas, or of two",
    "tuning": "what tuning does to the effect, the flips or the spread of personas",
    "ambiguity": "a figure of a persona's answers against what several raters say",
    "conformal": "the conformal sets of a persona, of all items or of those of a level",
    "policies": "a way to choose among the personas",
    "axis": "a persona's position on the axis, after a turn",
    "persona_space": "a persona's score on a principal component",
    "steering": "a measure under a dose of steering",
    "axis_effects": "a rank correlation of positions and effects over personas",
    "survival": "a turn of a conversation under a persona",
    "turns_held": "how many turns a persona's answers hold",
    "judgements": "a figure of a persona's judged answers",
    "judgement_contrasts": "such a figure against the baseline, on the same questions",
    "rankings": "a persona's strength in a judge's preferences",
    "wins": "two personas in a judge's preferences",
    "judges": "a figure of how far a judge can be trusted",
    "identification": "a figure of how well a persona is named",
    "identification_confusion": "how often a persona is taken for another",
    "identification_variance": "a source of variance of who is named",
    "judgement_variance": "a source of variance of a figure of judged answers",
    "rubrics": "what a persona's answers meet of the criteria of their items",
    "clinicians": "what clinicians say of a persona's answers",
    "clinician_rankings": "a persona's strength in clinicians' preferences",
    "agreement": "the agreement of two raters, or of all of a kind",
    "delivery": "a model, task and persona",
    "thoughts": "the thoughts of a model, task, persona and wording",
}
# Those of a kind's own say it themselves.
for KIND in STUDY.measured_kinds:
    for TABLE in base.tables(KIND):
        ROW_IS[TABLE] = base.about(KIND, TABLE)["row_is"]


def in_report(tables, caption, subcategory):
    """The CSV files of tables; those that are asked for, each with what a row of it is."""
    about = {"caption": caption, "category": "Tables", "subcategory": subcategory}
    labels = {table: {"table": table, "a row is": ROW_IS[table]} for table in tables}
    paths = {table: f"results/tables/{table}.csv" for table in tables}
    asked = {t: report(paths[t], labels=labels[t], **about) for t in tables}
    return [(asked if table in STUDY.tables else paths)[table] for table in tables]


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
