# Needs: a data set, a task's prompt and a persona's texts. Leaves: the chats of one task and
# persona, one row per item and wording, the same for every model.


rule write_prompts:
    input:
        cases=task_cases,
        persona=persona_texts,
        task=view("prompts/{task}"),
        code=kind_code("write_prompts", "prompting"),
    output:
        "results/prompts/{task}/{persona}.parquet",
    log:
        "logs/write_prompts/{task}/{persona}.log",
    wildcard_constraints:
        persona=one_of(PERSONAS),
    priority: 10
    conda:
        ENVIRONMENT
    params:
        kind=kind_of,
    shell:
        script("write_prompts") + " --kind {params.kind}"
        " --items {input.cases} --persona {input.persona}"
        " --task {input.task} --prompts {output} --log {log}"
