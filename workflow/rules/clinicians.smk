# Needs: the answers that clinicians may see; and the files that they send back. Leaves: a blinded
# packet, with its key outside of it; the checked annotations as one table; and the tables of what
# clinicians say and of how far all raters agree.

# The files that came back. Each names its packet; what belongs to a packet stays under
# resources/packets from the day it was made, so that annotations outlive later runs.
# Spreadsheet programs leave ~$… beside an open file.
CAME_BACK = sorted(
    {*glob("resources/annotations/*")} - {*glob("resources/annotations/~$*")}
)
ANNOTATIONS = [
    path
    for path in CAME_BACK
    if path.lower().endswith((".csv", ".xlsx")) and os.path.isfile(path)
]
PACKETS = sorted(glob("resources/packets/*.key.csv"))
for came_back in ANNOTATIONS + PACKETS:
    if {"{", "}"} & {*came_back}:
        sys.exit(
            f"error: {came_back}: a brace in the name of a file would be a wildcard of Snakemake; "
            "rename the file"
        )
FORMS = "forms" in VIEWS
for came_back in CAME_BACK if FORMS else ():
    if came_back not in ANNOTATIONS:
        sys.exit(
            f"error: {came_back} is neither a CSV file nor a spreadsheet (.xlsx) of a clinician; "
            "save it as one of these, put it into resources/annotations itself, and take out all "
            "else"
        )
ANNOTATED = ["results/clinician/annotations.parquet"] if FORMS and ANNOTATIONS else []


if FORMS:

    rule gather_answers:
        input:
            responses=[
                f"{read_by_judges(STUDY)}/{cell.path}.parquet"
                for cell in STUDY.shown_cells
            ],
            prompts=sorted(
                {
                    f"{STUDY.prompts_of(cell.model, cell.task)}/{cell.persona}.parquet"
                    for cell in STUDY.shown_cells
                }
            ),
            cases=sorted(
                {
                    f"resources/datasets/{STUDY.tasks[cell.task]['dataset']}.parquet"
                    for cell in STUDY.shown_cells
                }
            ),
            view=VIEWS["answers_shown"],
            code=code("gather_answers"),
        output:
            "results/clinician/answers.parquet",
        log:
            "logs/clinician/gather_answers.log",
        conda:
            ENVIRONMENT
        params:
            answers=lambda _: read_by_judges(STUDY),
        shell:
            script("gather_answers")
            + " --view {input.view} --responses {params.answers}"
            " --prompts results/prompts --turns results/turns"
            " --items resources/datasets --answers {output} --log {log}"

    # Made when asked for by name, not with the default study.
    rule write_packet:
        input:
            answers="results/clinician/answers.parquet",
            cases=rubric_cases(),
            view=VIEWS["packet"],
            template=os.path.relpath(LIBRARY / "forms" / "clinician.html"),
            code=code("write_packet"),
        output:
            packet="results/clinician/packet.zip",
            key="results/clinician/key.csv",
            counts="results/clinician/drawn.csv",
        log:
            "logs/clinician/write_packet.log",
        conda:
            ENVIRONMENT
        shell:
            script("write_packet") + " --answers {input.answers} --view {input.view}"
            " --template {input.template} --items resources/datasets --packet {output.packet} --key {output.key}"
            " --counts {output.counts} --kept resources/packets --log {log}"

    # Cheap, and so done before long work: what is wrong with a file shows here.
    rule read_annotations:
        input:
            annotations=ANNOTATIONS,
            packets=PACKETS,
            answered=VIEWS["answered"],
            code=code("read_annotations"),
        output:
            "results/clinician/annotations.parquet",
        log:
            "logs/clinician/read_annotations.log",
        priority: 10
        conda:
            ENVIRONMENT
        shell:
            script("read_annotations") + " --annotations {input.annotations:q}"
            " --packets resources/packets --answered {input.answered}"
            " --table {output} --log {log}"

    rule agree:
        input:
            judgements=judged_files(
                "results/judgements/{judge}/{model}/{task}/{persona}.parquet", JUDGES
            ),
            # What rules of kinds say of the same answers.
            scores=ruled_scores(),
            criteria=criteria_files(),
            annotations=ANNOTATED,
            # Which of the judges are usable.
            judges=["results/tables/judges.parquet"] if JUDGES else [],
            view=VIEWS["judged"],
            forms=VIEWS["forms"],
            statistics=VIEWS["statistics"],
            code=code("agree", *kind_modules("ruled")),
        output:
            expand("results/tables/{table}.parquet", table=CLINICIAN_TABLES),
            in_report(CLINICIAN_TABLES, "../report/agreement_tables.rst", "Clinicians"),
        log:
            "logs/agree/tables.log",
        conda:
            ENVIRONMENT
        params:
            judges="--judges results/tables/judges.parquet" if JUDGES else "",
            annotations=(
                "--annotations results/clinician/annotations.parquet"
                if ANNOTATIONS
                else ""
            ),
        shell:
            script("agree") + " --view {input.view} --forms {input.forms}"
            " --statistics {input.statistics} --judgements results/judgements"
            " --scores results/scores --criteria results/criteria"
            " {params.judges} {params.annotations} --tables results/tables --log {log}"
