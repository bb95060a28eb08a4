# Needs: what judges say of all rounds of conversations, or the scores of these. Leaves: two tables, of
# how many answers still hold at every turn, and how many turns they hold.

if STUDY.followed:

    rule survive:
        input:
            judgements=followed_files(
                "results/judgements/{judge}/{model}/{task}/{persona}.parquet",
                judged=True,
            ),
            scores=followed_files(
                "results/scores/{model}/{task}/{persona}.parquet", judged=False
            ),
            judges=(
                "results/tables/judges.parquet"
                if any(judge for judge, _, _ in STUDY.followed)
                else []
            ),
            cases=sorted(
                {
                    f"resources/datasets/{STUDY.tasks[task]['dataset']}.parquet"
                    for _, _, task in STUDY.followed
                }
            ),
            view=VIEWS["survival"],
            statistics=VIEWS["statistics"],
            code=code("survive"),
        output:
            expand("results/tables/{table}.parquet", table=SURVIVAL_TABLES),
            in_report(SURVIVAL_TABLES, "../report/survival.rst", "Conversations"),
        log:
            "logs/tabulate/survival.log",
        conda:
            ENVIRONMENT
        params:
            judges=lambda w, input: f"--judges {input.judges}" if input.judges else "",
        shell:
            script("survive")
            + " --view {input.view} --statistics {input.statistics} {params.judges}"
            " --results results --items resources/datasets --tables results/tables --log {log}"
