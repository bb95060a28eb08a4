# Needs: the answers of the tasks that key `readings` names, and the weights of models that run here.
# Leaves: the residual stream at these answers, one row per answer and layer; and where personas
# stand there.

from persona_paradox.study.products import AXIS_TABLES, STEERING_TABLES
from persona_paradox.study.readings import read_models, read_tasks
from persona_paradox.study.steering import vector_files

if READ_CELLS:

    rule read_activations:
        input:
            delivered=of_last_step("delivered"),
            answers=of_last_step("stage"),
            readings=VIEWS["readings"],
            engine=view("engine/{model}"),
            manifest="resources/models/{model}/manifest.json",
            weights=weights,
            code=code("read_activations"),
        output:
            "results/readings/{model}/{task}/{persona}.parquet",
        log:
            "logs/read_activations/{model}/{task}/{persona}.log",
        benchmark:
            "logs/benchmarks/read_activations/{model}/{task}/{persona}.tsv"
        wildcard_constraints:
            model=one_of(sorted({cell.model for cell in READ_CELLS})),
            task=one_of(sorted({cell.task for cell in READ_CELLS})),
            persona=one_of(STUDY.personas),
        conda:
            ENVIRONMENT
        threads: engine_threads
        resources:
            gpu=gpu,
            mem_mb=engine_mb,
            runtime=engine_minutes,
        params:
            model_file=model_file,
        shell:
            script("read_activations")
            + " --delivered {input.delivered} --answers {input.answers}"
            " --readings {input.readings} --engine {input.engine} --manifest {input.manifest}"
            " --config-file {params.model_file} --threads {threads}"
            " --table {output} --log {log}"

    # Of personas that are text, never of others: so no circle is made.
    if STEERED:

        rule make_vector:
            input:
                readings=lambda w: vector_files(STUDY, w.model, w.persona),
                view=view("steering/{persona}"),
                code=code("make_vector"),
            output:
                "results/vectors/{model}/{persona}.parquet",
            log:
                "logs/make_vector/{model}/{persona}.log",
            wildcard_constraints:
                model=one_of(read_models(STUDY)),
                persona=one_of(STEERED),
            priority: 1
            conda:
                ENVIRONMENT
            shell:
                script("make_vector")
                + " --view {input.view} --readings results/readings/{wildcards.model}"
                " --vector {output} --log {log}"

        rule tabulate_doses:
            input:
                readings=[
                    f"results/readings/{model}/{task}/{persona}.parquet"
                    for model in read_models(STUDY)
                    for task in read_tasks(STUDY)
                    for persona in STUDY.personas
                ],
                contrasts="results/tables/contrasts.parquet",
                view=VIEWS["doses"],
                statistics=VIEWS["statistics"],
                code=code("tabulate_doses"),
            output:
                expand("results/tables/{table}.parquet", table=STEERING_TABLES),
                in_report(STEERING_TABLES, "../report/axis.rst", "Axis"),
            log:
                "logs/tabulate/steering.log",
            conda:
                ENVIRONMENT
            shell:
                script("tabulate_doses")
                + " --view {input.view} --statistics {input.statistics}"
                " --contrasts {input.contrasts} --readings results/readings"
                " --tables results/tables --log {log}"

    rule place_personas:
        input:
            readings=[f"results/readings/{cell.path}.parquet" for cell in READ_CELLS],
            contrasts="results/tables/contrasts.parquet",
            cases=sorted(
                {
                    f"resources/datasets/{STUDY.tasks[task]['dataset']}.parquet"
                    for task in read_tasks(STUDY)
                }
            ),
            view=VIEWS["axis"],
            statistics=VIEWS["statistics"],
            code=code("place_personas"),
        output:
            expand("results/tables/{table}.parquet", table=AXIS_TABLES),
            in_report(AXIS_TABLES, "../report/axis.rst", "Axis"),
        log:
            "logs/tabulate/axis.log",
        conda:
            ENVIRONMENT
        shell:
            script("place_personas")
            + " --view {input.view} --statistics {input.statistics}"
            " --contrasts {input.contrasts} --readings results/readings"
            " --items resources/datasets --tables results/tables --log {log}"
