"""What the files of the configuration hold once they are checked: keys, and types of values.

The YAML schemas are what checks them and fills in defaults; a test holds these keys against those.
Tasks and data sets have more keys, those of their kinds.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Source = dict[str, Any]


class Licence(TypedDict):
    """Of a data set."""

    id: str
    redistribution: bool


class Thinking(TypedDict):
    """How a model thinks aloud."""

    think: bool
    open: str | None
    close: str | None
    max_tokens: int


class EngineSpec(TypedDict):
    """How llama.cpp runs a model."""

    context: int
    threads: int
    width: int | None
    cache_gib: float
    gpu_layers: int
    main_gpu: int
    tensor_split: list[float] | None


class Stop(TypedDict):
    """When no candidate of a cycle goes on."""

    gain: float
    certain: bool
    erroneous_refusals: float
    unusable_judge: bool


class ValidationSpec(TypedDict):
    """By which answers the candidates of a cycle are compared."""

    task: str
    personas: list[str]
    judge: str
    rule: Literal["cares"]
    stop: Stop


class TrainingSpec(TypedDict):
    """How an adapter is trained."""

    method: Literal["sft", "dpo", "kto"] | list[Literal["dpo", "kto"]]
    data: list[dict[str, Any]]
    cycles: NotRequired[int]
    validation: NotRequired[ValidationSpec]
    rank: int
    alpha: float
    first_layer: int
    epochs: int
    learning_rate: float
    batch: int
    weights: Literal["none", "balanced"]
    seed: int
    beta: float


class AdapterSpec(TypedDict):
    """A file of `adapters`; of a derived model, with its `id` and always with a `source`.

    One of a cycle has `cycle`, and where one of several was chosen `validation`; see `cycles`.
    """

    title: str
    base: str
    licence: str
    source: Source
    training: NotRequired[TrainingSpec]
    product: NotRequired[dict[str, str]]
    scale: float
    id: NotRequired[str]
    cycle: NotRequired[dict[str, Any]]
    validation: NotRequired[dict[str, Any]]


class ModelSpec(TypedDict):
    """A file of `models`; a derived one has its adapter besides."""

    title: str
    family: str
    licence: str
    source: Source
    prepare: dict[str, Any]
    accepted_template_text: str
    thinking: Thinking
    engine: EngineSpec
    adapter: NotRequired[AdapterSpec]


class Steering(TypedDict):
    """What moves the residual stream; one of `scale` and `cap`."""

    towards: str
    depths: NotRequired[list[float] | None]
    scale: NotRequired[float]
    cap: NotRequired[float]


class PersonaSpec(TypedDict):
    """A file of `personas`; of a set's one, `factors` besides."""

    title: str
    group: str
    role: NotRequired[str]
    style: NotRequired[str]
    texts: dict[str, str]
    relations: NotRequired[dict[str, str]]
    control_tokens: NotRequired[list[str]]
    steering: NotRequired[Steering]
    factors: NotRequired[dict[str, Any]]


class Sampled(TypedDict):
    """Answers that are drawn besides the greedy one."""

    answers: int
    wordings: Literal["main", "all"]
    temperature: float
    min_p: float
    top_p: float


class Decoding(TypedDict):
    """How the answers of a task are produced."""

    max_tokens: int
    stop: list[str]
    grammar: str | None
    json_schema: dict[str, Any] | None
    token_logprobs: bool
    sampled: Sampled


class TaskSpec(TypedDict):
    """A file of `tasks`, as far as several kinds have its keys; `arm` where it is one."""

    title: str
    kind: str
    dataset: str
    instruction: NotRequired[str]
    user: str
    placement: NotRequired[Literal["system", "user"]]
    decoding: Decoding
    null_cases: NotRequired[list[str]]
    rationale: NotRequired[dict[str, Any] | None]
    verbalized: NotRequired[dict[str, Any] | None]
    turns: NotRequired[list[str]]
    arms: NotRequired[dict[str, dict[str, Any]]]
    arm_sets: NotRequired[list[str]]
    arm: NotRequired[dict[str, Any]]


class Split(TypedDict):
    """What of a data set is for the training of adapters, and for choosing among them."""

    share: float
    validation: NotRequired[float]
    seed: int


class DatasetSpec(TypedDict):
    """A file of `datasets`, as far as several kinds have its keys; `arm` where it is changed."""

    title: str
    description: str
    origin: Literal["teaching", "real"]
    context: str
    licence: Licence
    source: Source
    format: dict[str, Any]
    where: NotRequired[dict[str, Any]]
    columns: dict[str, Any]
    subgroups: NotRequired[list[dict[str, Any]]]
    training: NotRequired[Split]
    arm: NotRequired[dict[str, Any]]


class Rating(TypedDict):
    """A dimension that a judge rates."""

    id: str
    title: str
    better: Literal["low", "high"]
    question: str


class Classes(TypedDict):
    """A dimension in which a judge says which of several classes an answer is."""

    id: str
    title: str
    question: str
    classes: list[dict[str, str]]


class JudgeSpec(TypedDict):
    """A file of `judges`."""

    title: str
    model: str
    reads: Literal["answers", "reasoning", "thoughts"]
    rounds: bool
    own_family: bool
    instruction: str
    user: str
    answer_prefix: str
    rationale_tokens: int
    ratings: list[Rating]
    scale: int
    action: dict[str, Any] | None
    classes: list[Classes]
    criteria: dict[str, str | None] | None
    pairs: dict[str, str] | None
    list: dict[str, str] | None
    personas: dict[str, str] | None
    authors: str | None
    sanity: str | None
    sanity_classes: str | None
    injections: str | None
    usable: dict[str, float]


class FormSpec(TypedDict):
    """A file of `forms`."""

    title: str
    instructions: str
    question_title: str
    answer_title: str
    questions: list[dict[str, Any]]
    preference: dict[str, str]
    confidence: dict[str, Any]
    disclaimer: str


class Rankings(TypedDict):
    """Which answers judges compare."""

    groups: list[str]
    pairs: Literal["all", "baseline"]
    listwise: bool


class Identification(TypedDict):
    """How the persona is named."""

    groups: list[str]
    none: str
    tasks: list[str]
    question: str
    answer_prefix: str


class Constraint(TypedDict):
    """A rate that is limited."""

    metric: str
    at_most: float


class Escalation(TypedDict):
    """The personas of escalation, and the words that call for it."""

    lean: str
    second: str | None
    cautious: str
    flags: list[str]


class Routing(TypedDict):
    """What is asked of policies."""

    policies: list[str] | Literal["all"]
    constraint: Constraint | None
    folds: int
    escalation: Escalation | None


class Conformal(TypedDict):
    """What is asked of conformal sets."""

    coverage: float
    scores: list[Literal["lac", "aps", "ordinal"]]
    folds: int


class Incoherent(TypedDict):
    """From where on an answer is incoherent."""

    perplexity: float
    repeated: float


class Readings(TypedDict):
    """What is read of the residual stream."""

    tasks: list[str]
    roles: list[str]
    default: str | None
    depths: list[float]
    vectors: list[str] | None
    incoherent: Incoherent
    metrics: list[str]


class Clinicians(TypedDict):
    """What clinicians see."""

    groups: list[str]
    answers: int
    pairs: int


class Report(TypedDict):
    """What the page holds."""

    single_file_mb: float
    withheld_texts: bool


class Family(TypedDict):
    """The tests of the study."""

    metrics: list[str]
    wordings: Literal["main", "all"]
    groups: list[str] | Literal["all"]


class Factors(TypedDict):
    """What is asked of the factors of persona sets."""

    metrics: list[str]
    family: list[str]


class Statistics(TypedDict):
    """Settings of the statistics."""

    draws: int
    confidence: float
    bins: int
    binned_ece_warning_below: int
    too_few_below: int
    label_mass_warning_below: float
    small_group_below: int
    interval: Literal["percentile", "bca"]
    folds: int
    power: float
    margins: dict[str, float]
    proportionate: list[list[float]]
    factors: Factors
    family: Family


class Settings(TypedDict):
    """A study, as merged from its files."""

    title: str
    models: list[str]
    tasks: list[str]
    personas: list[str]
    published: bool
    baseline: str
    contexts: list[str] | Literal["all"]
    variants: Literal["main", "all"]
    limit: int | None
    limits: dict[str, int | None]
    adapters: list[str]
    judges: list[str]
    judge_sample: int | None
    rankings: Rankings
    identification: Identification | None
    routing: Routing | None
    conformal: Conformal | None
    readings: Readings | None
    clinicians: Clinicians
    limit_keeps: list[str]
    seed: int
    data_dir: str | None
    report: Report
    recalibrations: list[str]
    tables: list[str] | Literal["all"]
    figures: list[str] | Literal["all"]
    audit_sample: int
    bag_of_words: bool
    statistics: Statistics
