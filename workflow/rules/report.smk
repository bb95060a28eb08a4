# Needs: tables, summary and provenance, and the answers of all cells. Leaves: the page that people
# open first; and the folder that holds its data where a study is too large for one file.

REPORT = "results/report.html"
# Figures that stand in the page as they are.
IN_PAGE = [id_ for id_ in FIGURES if ALL_FIGURES[id_].in_page]
TEXTS_SHOWN = STUDY.settings["report"]["withheld_texts"]


# The provenance holds the whole configuration, so that no view of its own is needed.
rule report:
    input:
        provenance="results/provenance.json",
        tables=expand("results/tables/{table}.parquet", table=STUDY.tables),
        # What measures and arms are called.
        figures=VIEWS["judged_figures"],
        summary="results/summary.md",
        drawings=expand("results/specifications/{figure}.json", figure=IN_PAGE),
        # What they are called.
        told=[
            os.path.relpath((LIBRARY / "persona_paradox" / path).with_suffix(".yaml"))
            for path in (ALL_FIGURES[id_].path for id_ in IN_PAGE)
        ],
        cells=report_cells(),
        cases=expand("resources/datasets/{dataset}.parquet", dataset=STUDY.datasets),
        reference=os.path.relpath(CONFIG / "README.md"),
        citation=os.path.relpath(ROOT / "CITATION.cff"),
        page=sorted(
            os.path.relpath(path)
            for path in (LIBRARY / "report").rglob("*")
            if path.suffix in (".html", ".css", ".js")
        ),
        code=code("write_report", *SPECS, *kind_modules("cells")),
    output:
        page=REPORT,
        folder=directory("results/report"),
    log:
        "logs/report/report.log",
    conda:
        ENVIRONMENT
    params:
        names=STUDY.tables,
        configfiles=" ".join(map(quote, configfiles())),
    shell:
        script("write_report") + " --provenance {input.provenance}"
        " --tables results/tables --names {params.names} --settings {input.figures}"
        " --summary {input.summary}"
        " --drawings {input.drawings} --reference {input.reference} --citation {input.citation}"
        " --configfiles {params.configfiles}"
        " --report {output.page} --folder {output.folder} --log {log}"
