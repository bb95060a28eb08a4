# Needs: the answers of all cells of a task, and a judge's weights or its server. Leaves: a sample
# of the answers, where the study asks for one; what the judge reads and says of every answer and of
# every pair of personas' answers; its judgements, one row per answer and dimension; its
# preferences, one row per pair and question; and what it makes of answers whose worth is known
# beforehand.


wildcard_constraints:
    judge=one_of(JUDGES),
    first=one_of(STUDY.personas),
    second=one_of(STUDY.personas),


READ_BY_JUDGES = f"{read_by_judges(STUDY)}/{{model}}/{{task}}/{{persona}}.parquet"


if STUDY.settings["judge_sample"] is not None:

    rule sample_answers:
        input:
            responses="results/responses/{model}/{task}/{persona}.parquet",
            cases=task_cases,
            view=view("judge_sample/{task}"),
            code=code("sample_answers"),
        output:
            READ_BY_JUDGES,
        log:
            "logs/sample_answers/{model}/{task}/{persona}.log",
        wildcard_constraints:
            persona=one_of(STUDY.personas),
        conda:
            ENVIRONMENT
        shell:
            script("sample_answers")
            + " --responses {input.responses} --items {input.cases}"
            " --view {input.view} --answers {output} --log {log}"


rule deliver_ratings:
    input:
        responses=READ_BY_JUDGES,
        prompts=asked,
        judge=of_round("judges"),
        read_out=view("judge_read_out/{judge}"),
        template=of_judge("templates/{model}"),
        manifest=manifest,
        code=code("deliver_to_judge"),
    output:
        "results/judging/{judge}/ratings/{model}/{task}/{persona}.parquet",
    log:
        "logs/judging/{judge}/ratings/{model}/{task}/{persona}.log",
    wildcard_constraints:
        task=one_of([*JUDGED_TASKS, *JUDGED_ROUNDS]),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    params:
        form="ratings",
        model_file=model_file,
    shell:
        script("deliver_to_judge")
        + " --form {params.form} --responses {input.responses} --prompts {input.prompts}"
        " --judge {input.judge} --read-out {input.read_out} --template {input.template}"
        " --manifest {input.manifest} --config-file {params.model_file}"
        " --delivered {output} --log {log}"


# Both orders of every pair: a persona takes part in those of its own alone.
use rule deliver_ratings as deliver_pairs with:
    input:
        responses=expand(
            READ_BY_JUDGES, persona=["{first}", "{second}"], allow_missing=True
        ),
        prompts=lambda w: asked_of(w, w.first, w.second),
        judge=view("judges/{judge}"),
        read_out=view("judge_read_out/{judge}"),
        template=of_judge("templates/{model}"),
        manifest=manifest,
        code=code("deliver_to_judge"),
    output:
        "results/judging/{judge}/pairs/{model}/{task}/{first}.vs.{second}.parquet",
    log:
        "logs/judging/{judge}/pairs/{model}/{task}/{first}.vs.{second}.log",
    wildcard_constraints:
        task=one_of(JUDGED_TASKS),
    params:
        form="pairs",
        model_file=model_file,


use rule deliver_ratings as deliver_list with:
    input:
        responses=expand(READ_BY_JUDGES, persona=STUDY.ranked, allow_missing=True),
        prompts=lambda w: asked_of(w, *STUDY.ranked),
        judge=view("judges/{judge}"),
        read_out=view("judge_read_out/{judge}"),
        template=of_judge("templates/{model}"),
        manifest=manifest,
        code=code("deliver_to_judge"),
    output:
        "results/judging/{judge}/list/{model}/{task}/all.parquet",
    log:
        "logs/judging/{judge}/list/{model}/{task}/all.log",
    wildcard_constraints:
        task=one_of(JUDGED_TASKS),
    params:
        form="list",
        model_file=model_file,


# Cheap, and so done before long work: what is wrong with a judge shows here.
rule deliver_checks:
    input:
        judge=view("judges/{judge}"),
        read_out=view("judge_read_out/{judge}"),
        view=view("judge_classes/{judge}"),
        template=of_judge("templates/{model}"),
        manifest=manifest,
        sanity=checks("sanity"),
        injections=checks("injections"),
        classes=checks("sanity_classes"),
        authors=checks("authors"),
        code=code("deliver_checks"),
    output:
        ratings="results/judging/{judge}/checks/ratings.parquet",
        pairs="results/judging/{judge}/checks/pairs.parquet",
    log:
        "logs/judging/{judge}/checks.log",
    priority: 10
    conda:
        ENVIRONMENT
    params:
        checks=checks_options,
        model_file=model_file,
    shell:
        script("deliver_checks")
        + " --judge {input.judge} --read-out {input.read_out} --view {input.view}"
        " --template {input.template} --manifest {input.manifest} {params.checks}"
        " --judge-file config/judges/{wildcards.judge}.yaml --config-file {params.model_file}"
        " --ratings {output.ratings} --pairs {output.pairs} --log {log}"


use rule generate as judge with:
    input:
        delivered="results/judging/{judge}/{what}.parquet",
        decoding=view("judge_decoding/{judge}"),
        engine=of_judge("engine/{model}"),
        manifest=manifest,
        weights=weights,
        code=code("generate"),
    output:
        "results/verdicts/{judge}/{what}.parquet",
    log:
        "logs/verdicts/{judge}/{what}.log",
    benchmark:
        "logs/benchmarks/verdicts/{judge}/{what}.tsv"
    wildcard_constraints:
        judge=one_of(
            [j for j in JUDGES if STUDY.judges[j]["model"] in STUDY.local_models]
        ),
    priority: 0


use rule ask_server as judge_server with:
    input:
        delivered="results/judging/{judge}/{what}.parquet",
        decoding=view("judge_decoding/{judge}"),
        source=of_judge("models/{model}"),
        code=code("ask_server"),
    output:
        "results/verdicts/{judge}/{what}.parquet",
    log:
        "logs/verdicts/{judge}/{what}.log",
    wildcard_constraints:
        judge=one_of([j for j in JUDGES if STUDY.judges[j]["model"] in STUDY.servers]),
    priority: 0


rule read_ratings:
    input:
        responses=READ_BY_JUDGES,
        prompts=asked,
        judge=of_round("judges"),
        view=of_round("verdicts"),
        verdicts="results/verdicts/{judge}/ratings/{model}/{task}/{persona}.parquet",
        code=code("read_ratings"),
    output:
        "results/judgements/{judge}/{model}/{task}/{persona}.parquet",
    log:
        "logs/read_ratings/{judge}/{model}/{task}/{persona}.log",
    wildcard_constraints:
        task=one_of([*JUDGED_TASKS, *JUDGED_ROUNDS]),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    shell:
        script("read_ratings")
        + " --responses {input.responses} --prompts {input.prompts}"
        " --judge {input.judge} --view {input.view} --verdicts {input.verdicts}"
        " --judgements {output} --log {log}"


rule deliver_criteria:
    input:
        responses=READ_BY_JUDGES,
        prompts=asked,
        cases=task_cases,
        judge=view("judge_criteria/{judge}"),
        read_out=view("judge_read_out/{judge}"),
        template=of_judge("templates/{model}"),
        manifest=manifest,
        code=code("deliver_criteria"),
    output:
        "results/judging/{judge}/criteria/{model}/{task}/{persona}.parquet",
    log:
        "logs/judging/{judge}/criteria/{model}/{task}/{persona}.log",
    wildcard_constraints:
        judge=one_of(RUBRIC_JUDGES),
        task=one_of(criteria_tasks(STUDY)),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    params:
        model_file=model_file,
    shell:
        script("deliver_criteria") + " --responses {input.responses}"
        " --prompts {input.prompts} --items {input.cases} --judge {input.judge}"
        " --read-out {input.read_out} --template {input.template}"
        " --manifest {input.manifest} --config-file {params.model_file}"
        " --judge-file config/judges/{wildcards.judge}.yaml"
        " --delivered {output} --log {log}"


rule read_criteria:
    input:
        responses=READ_BY_JUDGES,
        prompts=asked,
        cases=task_cases,
        judge=view("judge_criteria/{judge}"),
        verdicts="results/verdicts/{judge}/criteria/{model}/{task}/{persona}.parquet",
        code=code("read_criteria"),
    output:
        "results/criteria/{judge}/{model}/{task}/{persona}.parquet",
    log:
        "logs/read_criteria/{judge}/{model}/{task}/{persona}.log",
    wildcard_constraints:
        judge=one_of(RUBRIC_JUDGES),
        task=one_of(criteria_tasks(STUDY)),
        persona=one_of(STUDY.personas),
    conda:
        ENVIRONMENT
    shell:
        script("read_criteria") + " --responses {input.responses}"
        " --prompts {input.prompts} --items {input.cases} --judge {input.judge}"
        " --verdicts {input.verdicts} --judge-file config/judges/{wildcards.judge}.yaml"
        " --criteria {output} --log {log}"


# Cheap, and so done before long work, as `deliver_checks`.
rule deliver_criteria_checks:
    input:
        judge=view("judge_criteria/{judge}"),
        read_out=view("judge_read_out/{judge}"),
        template=of_judge("templates/{model}"),
        manifest=manifest,
        sanity=criteria_sanity,
        code=code("deliver_criteria"),
    output:
        "results/judging/{judge}/checks/criteria.parquet",
    log:
        "logs/judging/{judge}/criteria_checks.log",
    wildcard_constraints:
        judge=one_of(CRITERIA_CHECKED),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        model_file=model_file,
    shell:
        script("deliver_criteria") + " --sanity {input.sanity:q} --judge {input.judge}"
        " --read-out {input.read_out} --template {input.template}"
        " --manifest {input.manifest} --config-file {params.model_file}"
        " --judge-file config/judges/{wildcards.judge}.yaml"
        " --delivered {output} --log {log}"


rule read_criteria_checks:
    input:
        judge=view("judge_criteria/{judge}"),
        sanity=criteria_sanity,
        verdicts="results/verdicts/{judge}/checks/criteria.parquet",
        code=code("read_criteria"),
    output:
        "results/checks/{judge}/criteria.parquet",
    log:
        "logs/read_criteria/{judge}/checks.log",
    wildcard_constraints:
        judge=one_of(CRITERIA_CHECKED),
    conda:
        ENVIRONMENT
    shell:
        script("read_criteria") + " --sanity {input.sanity:q} --judge {input.judge}"
        " --verdicts {input.verdicts} --judge-file config/judges/{wildcards.judge}.yaml"
        " --criteria {output} --log {log}"


rule rank:
    input:
        responses=expand(READ_BY_JUDGES, persona=STUDY.ranked, allow_missing=True),
        prompts=lambda w: asked_of(w, *STUDY.ranked),
        judge=view("judges/{judge}"),
        verdicts=pairs_of,
        code=code("rank"),
    output:
        "results/rankings/{judge}/{model}/{task}.parquet",
    log:
        "logs/rank/{judge}/{model}/{task}.log",
    wildcard_constraints:
        judge=one_of(RANKING_JUDGES),
        task=one_of(JUDGED_TASKS),
    conda:
        ENVIRONMENT
    params:
        pairs=[".vs.".join(pair) for pair in STUDY.ranked_pairs],
        asked=lambda w: STUDY.prompts_of(w.model, w.task),
        answers=lambda _: read_by_judges(STUDY),
    shell:
        script("rank") + " --judge {input.judge} --pairs {params.pairs}"
        " --responses {params.answers}/{wildcards.model}/{wildcards.task}"
        " --prompts {params.asked}"
        " --verdicts results/verdicts/{wildcards.judge}/pairs/{wildcards.model}/{wildcards.task}"
        " --preferences {output} --log {log}"


rule read_list:
    input:
        responses=expand(READ_BY_JUDGES, persona=STUDY.ranked, allow_missing=True),
        prompts=lambda w: asked_of(w, *STUDY.ranked),
        judge=view("judges/{judge}"),
        verdicts="results/verdicts/{judge}/list/{model}/{task}/all.parquet",
        code=code("read_list"),
    output:
        "results/rankings/{judge}/{model}/{task}.lists.parquet",
    log:
        "logs/read_list/{judge}/{model}/{task}.log",
    wildcard_constraints:
        judge=one_of(LISTING_JUDGES),
        task=one_of(JUDGED_TASKS),
    conda:
        ENVIRONMENT
    params:
        personas=STUDY.ranked,
        asked=lambda w: STUDY.prompts_of(w.model, w.task),
        answers=lambda _: read_by_judges(STUDY),
    shell:
        script("read_list") + " --judge {input.judge} --personas {params.personas}"
        " --responses {params.answers}/{wildcards.model}/{wildcards.task}"
        " --prompts {params.asked} --verdicts {input.verdicts}"
        " --preferences {output} --log {log}"


rule read_checks:
    input:
        judge=view("judges/{judge}"),
        view=view("verdicts/{judge}"),
        ratings="results/verdicts/{judge}/checks/ratings.parquet",
        pairs="results/verdicts/{judge}/checks/pairs.parquet",
        sanity=checks("sanity"),
        injections=checks("injections"),
        classes=checks("sanity_classes"),
        authors=checks("authors"),
        code=code("read_checks"),
    output:
        ratings="results/checks/{judge}/ratings.parquet",
        pairs="results/checks/{judge}/pairs.parquet",
    log:
        "logs/read_checks/{judge}.log",
    conda:
        ENVIRONMENT
    params:
        checks=checks_options,
    shell:
        script("read_checks") + " --judge {input.judge} --view {input.view}"
        " --rating-verdicts {input.ratings} --pair-verdicts {input.pairs} {params.checks}"
        " --judge-file config/judges/{wildcards.judge}.yaml"
        " --ratings {output.ratings} --pairs {output.pairs} --log {log}"


if JUDGES:

    rule assess:
        input:
            judgements=judged_files(
                "results/judgements/{judge}/{model}/{task}/{persona}.parquet", JUDGES
            ),
            rankings=judged_files(
                "results/rankings/{judge}/{model}/{task}.parquet", RANKING_JUDGES
            ),
            lists=judged_files(
                "results/rankings/{judge}/{model}/{task}.lists.parquet", LISTING_JUDGES
            ),
            checks=expand(
                "results/checks/{judge}/{form}.parquet",
                judge=JUDGES,
                form=["ratings", "pairs"],
            ),
            criteria=criteria_files(),
            cases=sorted(
                {
                    f"resources/datasets/{STUDY.tasks[task]['dataset']}.parquet"
                    for task in JUDGED_TASKS
                }
            ),
            view=VIEWS["judged"],
            classes=[
                path
                for judge in JUDGES
                if (path := STUDY.judges[judge]["sanity_classes"])
            ],
            statistics=VIEWS["statistics"],
            code=code("assess", *kind_modules("judged")),
        output:
            expand("results/tables/{table}.parquet", table=judged_tables(STUDY)),
            in_report(judged_tables(STUDY), "../report/judged_tables.rst", "Judges"),
        log:
            "logs/assess/tables.log",
        conda:
            ENVIRONMENT
        shell:
            script("assess") + " --view {input.view} --statistics {input.statistics}"
            " --judgements results/judgements --rankings results/rankings"
            " --criteria results/criteria --checks results/checks --items resources/datasets"
            " --tables results/tables --log {log}"
