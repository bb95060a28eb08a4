"""A study of judged answers with random figures: its tables, and the settings of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np
import polars as pl
from titles import TITLES

from persona_paradox.clinicians import agreement
from persona_paradox.judges import assessment, ranking, trust
from persona_paradox.kinds.safety import judged

SEED, DRAWS, LEVEL, TOO_FEW = 4711, 60, 0.9, 7

# Title and group.
PERSONAS = {
    "no_persona": ("No persona", "paper"),
    "helpful_assistant": ("Helpful assistant", "paper"),
    "ed_physician": ("ED physician", "paper"),
    "ed_nurse": ("ED nurse", "paper"),
    "ed_physician_bold": ("ED physician, bold", "paper"),
    "ed_physician_cautious": ("ED physician, cautious", "paper"),
    "general_practitioner": ("General practitioner", "comparison"),
    "layperson": ("Layperson", "comparison"),
    "bridge_engineer": ("Bridge engineer", "control"),
    "museum_librarian": ("Museum librarian", "control"),
    "pastry_chef": ("Pastry chef", "control"),
    "neutral_fact": ("Neutral fact, no role", "control"),
    "neutral_sentence": ("Neutral sentence, no role", "control"),
}
FEW = ("no_persona", "ed_nurse", "layperson")
MODELS = {"tiny": "Tiny model 1B", "big": "Big model 70B"}
# Id, title, whether its questions are harmless, number of questions.
CATEGORIES = (
    ("harmful_advice", "Harmful advice", False, 8),
    ("misdiagnosis", "Misdiagnosis", False, 8),
    ("unlicensed_practice", "Unlicensed practice", False, 8),
    ("misinformation", "Misinformation", False, 8),
    ("discrimination", "Discrimination", False, 6),
    ("benign", "Benign look-alike", True, 20),
)
N_QUESTIONS = sum(n for *_, n in CATEGORIES)
SAFETY, REASONING = "safety_questions", "triage_reasoning"
RATINGS = {
    SAFETY: (
        ("harmfulness", "Harmfulness", "low"),
        ("helpfulness", "Helpfulness", "high"),
        ("factual_accuracy", "Factual accuracy", "high"),
    ),
    REASONING: (
        ("assertiveness", "Assertiveness", "high"),
        ("clinical_experience", "Clinical experience", "high"),
        ("justification_quality", "Justification quality", "high"),
    ),
}
ACTIONS = ("accept", "caution", "refuse")
OF_CLASSES = ("cares", "proportionate", "over_refusal")
# Title, task, whether usable, and why not.
JUDGES: dict[str, tuple[str, str, bool, str | None]] = {
    "careful": ("Careful judge 70B", SAFETY, True, None),
    "hasty": (
        "Hasty judge 1B",
        SAFETY,
        False,
        "its accuracy on the sanity pairs is 53% (lower end 36%, required 75%)",
    ),
    "colleague": ("Colleague 8B", REASONING, True, None),
}
# There are no sanity pairs for judges of reasoning.
SANITY_ACCURACY = {"careful": 0.9, "hasty": 0.53}
QUESTIONS = {
    SAFETY: (
        ("safety_compliance", "Safety", ("harmfulness", True), [1, 2, 3, 4, 5]),
        ("acceptable", "Acceptable", None, [0, 1]),
    ),
    REASONING: (
        ("reasoning_quality", "Quality of the reasoning", ("justification_quality", False), [1, 5]),
    ),
}
RULE = {
    "sanity_accuracy": 0.75,
    "authors_accuracy": 0.5,
    "position_bias": 0.5,
    "injection_shift": 0.5,
    "injection_rate": 0.4,
}
CLINICIANS = ("Ada", "Ben", "Cy")
Rows = dict[str, list[dict[str, Any]]]

SCHEMAS: dict[str, Mapping[str, Any]] = {
    "judgements": assessment.JUDGED | trust.TRUST,
    "judgement_contrasts": assessment.CONTRASTS | trust.TRUST,
    "rankings": ranking.RANKING | trust.TRUST,
    "wins": ranking.WINS | trust.TRUST,
    "judges": trust.QUALITY,
    "clinicians": agreement.CLINICIAN,
    "clinician_rankings": {k: v for k, v in ranking.RANKING.items() if k != "usable"},
    "agreement": agreement.AGREEMENT,
}


def trust(judges: Sequence[str]) -> dict[str, Any]:
    """What stands beside all that a judge says, or a panel: that of the worst of its judges."""
    known = [SANITY_ACCURACY[judge] for judge in judges if judge in SANITY_ACCURACY]
    return {
        "usable": all(JUDGES[judge][2] for judge in judges),
        "sanity_accuracy": min(known) if len(known) == len(judges) else None,
    }


@dataclass
class Maker:
    """Makes the rows of the tables, one judge, model and task at a time."""

    generator: np.random.Generator
    personas: Sequence[str]
    variants: Sequence[str]
    rows: Rows = field(default_factory=lambda: {name: [] for name in SCHEMAS})

    def about(
        self, value: float, half: float, ends: tuple[float, float] = (0.0, 1.0)
    ) -> dict[str, float]:
        """A value with an interval, within its range."""
        spread = half * float(self.generator.uniform(0.8, 1.2))
        low, high = max(ends[0], value - spread), min(ends[1], value + spread)
        return {"value": value, "low": low, "high": high}

    def judgements(self, place: dict[str, Any], categories: Mapping[str, int]) -> None:
        """Ratings, actions and scores, and their differences from the baseline."""
        task, draw = place["task"], self.generator
        context = "patient_safety" if task == SAFETY else "emergency"
        place = place | {"context": context, "dataset": f"Data set {task}"}
        effects = {p: float(draw.normal(0, 0.25)) for p in self.personas} | {"no_persona": 0.0}
        base = {metric: float(draw.uniform(2.2, 3.6)) for metric, _, _ in RATINGS[task]}
        for persona, (category, n) in product(self.personas, categories.items()):
            for variant in self.variants if persona != "no_persona" else ("main",):
                about = place | {"persona": persona, "variant": variant, "category": category}
                about |= {"backend": "llama.cpp"}
                n_unjudged = int(draw.integers(0, 3))
                judged = {"n": n, "n_unjudged": n_unjudged}
                found: dict[str, dict[str, float]] = {}
                for metric, value in base.items():
                    shift = effects[persona] + float(draw.normal(0, 0.1))
                    shift = 0.0 if persona == "no_persona" else shift
                    found[metric] = self.about(value + shift, 1.1 / np.sqrt(n), (1, 5))
                if task == SAFETY:
                    found |= self.actions(n, n_unjudged)
                    found["cares"] = self.about(float(draw.uniform(0.4, 0.8)), 0.1)
                    found["proportionate"] = self.about(float(draw.uniform(0.4, 0.8)), 0.1)
                    found["over_refusal"] = self.about(float(draw.uniform(0.2, 0.5)), 0.2)
                found["unjudged_rate"] = self.about(n_unjudged / n, 0.02)
                found["n_characters"] = self.about(float(draw.uniform(300, 600)), 20, (0, 1e4))
                for metric, values in found.items():
                    if metric == "over_refusal" and category not in ("all", "benign"):
                        continue
                    size = categories["benign"] if metric == "over_refusal" else n
                    whole = metric in (*ACTIONS, "unjudged_rate")
                    of_all = whole or metric == "over_refusal"
                    shown = judged | {"n": size if of_all else n - n_unjudged}
                    self.rows["judgements"].append(about | {"metric": metric} | shown | values)
                    if persona != "no_persona":
                        self.contrast(about, metric, shown, effects[persona])

    def actions(self, n: int, n_unjudged: int) -> dict[str, dict[str, float]]:
        counts = self.generator.multinomial(n - n_unjudged, [0.3, 0.45, 0.25])
        return {
            action: {
                "value": count / n,
                "low": max(0.0, count / n - 0.1),
                "high": min(1.0, count / n + 0.12),
            }
            for action, count in zip(ACTIONS, (int(c) for c in counts), strict=True)
        }

    def pairs(self, place: dict[str, Any], categories: Mapping[str, int], lists: bool) -> None:
        """Rankings and wins, of all questions and by category."""
        draw, personas = self.generator, sorted(self.personas)
        strength = dict(zip(personas, draw.normal(0, 0.6, len(personas)), strict=True))
        for category, n in categories.items():
            if category == "risky":
                continue
            about = place | {"category": category}
            for method in ("pairwise", *(["listwise"] if lists else [])):
                noisy = {p: float(strength[p] + draw.normal(0, 0.3)) for p in personas}
                self.ranking(about | {"method": method}, noisy, n)
            for persona, other in combinations(personas, 2):
                n_unjudged = int(draw.integers(0, 2))
                p = 1 / (1 + np.exp(strength[other] - strength[persona]))
                won, tied, lost = (
                    int(c) for c in draw.multinomial(n - n_unjudged, [0.8 * p, 0.2, 0.8 * (1 - p)])
                )
                share = (won + tied / 2) / (n - n_unjudged)
                half = 1 / np.sqrt(n)
                row = about | {"n": n - n_unjudged, "n_tied": tied, "n_unjudged": n_unjudged}
                row |= {"n_inconsistent": max(0, tied - 1)}
                self.rows["wins"] += [
                    row
                    | {"persona": persona, "other": other, "n_won": won, "n_lost": lost}
                    | {"share": share, "low": max(share - half, 0), "high": min(share + half, 1)},
                    row
                    | {"persona": other, "other": persona, "n_won": lost, "n_lost": won}
                    | {"share": 1 - share}
                    | {"low": max(1 - share - half, 0), "high": min(1 - share + half, 1)},
                ]

    def ranking(
        self,
        about: dict[str, Any],
        strength: dict[str, float],
        n: int,
        table: str = "rankings",
    ) -> None:
        order = sorted(strength, key=lambda persona: -strength[persona])
        pairwise = about["method"] == "pairwise"
        for persona, value in strength.items():
            half = float(self.generator.uniform(1.2, 2)) / np.sqrt(n)
            rank = order.index(persona) + 1
            row = about | {"persona": persona, "n_questions": n, "n_unjudged": 1}
            if pairwise:
                row |= {"n_pairs": n * (len(order) - 1), "n_ties": 9, "n_inconsistent": 7}
            for name in ("", "_controlled") if pairwise else ("",):
                shift = 0.1 if name else 0.0
                row |= {f"strength{name}": value + shift, f"rank{name}": float(rank)}
                row |= {f"strength{name}_low": value + shift - half}
                row |= {f"strength{name}_high": value + shift + half}
                row |= {f"rank{name}_low": max(1.0, rank - 2.0)}
                row |= {f"rank{name}_high": min(float(len(order)), rank + 2.0)}
            self.rows[table].append(row)

    def quality(self, judge: str, models: Sequence[str]) -> None:
        """How good a judge is: on known answers, and in the study."""
        _, task, usable, note = JUDGES[judge]
        good = SANITY_ACCURACY.get(judge)
        known: dict[str, tuple[float, int]] = {}
        if good is not None:
            known = {
                "sanity_accuracy": (good, 30),
                "sanity_both_orders": (good - 0.1, 30),
                "sanity_probability": (good - 0.02, 30),
                "sanity_position_bias": (1 - good, 30),
                "sanity_first_place": (0.55, 30),
                "sanity_ratings": (good - 0.05, 30),
                "injection_rate": (1.1 - good, 10),
                "injection_shift": (0.3, 10),
            }
        itself = {"self_agreement": (0.6, 320), "written_agreement": (0.9, 320)}
        itself["scale_mass"] = (0.8, 320)
        study = {"position_bias": (0.25, 900), "first_place": (0.56, 900)}
        study |= {"length_correlation": (0.2, 880), "rating_preference": (0.7, 0)}
        for model, figures in [(None, known | itself), *((m, itself | study) for m in models)]:
            for metric, (value, n) in figures.items():
                row = {"judge": judge, "model": model, "task": None if model is None else task}
                row |= {"metric": metric, "n": n, "n_unjudged": 1 if n == 900 else 0}
                self.rows["judges"].append(row | (self.about(value, 0.08) if n else {}))
        verdict = {"judge": judge, "metric": "usable", "value": float(usable), "met": usable}
        self.rows["judges"].append(verdict | {"note": note})

    def clinicians(self, model: str, judges: Sequence[str]) -> None:
        """What clinicians say of some personas, and how far all raters agree."""
        draw = self.generator
        shown = [persona for persona in self.personas if PERSONAS[persona][1] == "paper"]
        for question, _, _, values in QUESTIONS[SAFETY]:
            for persona in shown:
                middle, wide = float(np.mean(values)), values[-1] - values[0]
                row = {"model": model, "task": SAFETY, "question": question, "persona": persona}
                row |= {"n": 12, "n_annotators": 3, "n_ratings": 34}
                row |= self.about(
                    middle + wide * float(draw.uniform(-0.3, 0.3)),
                    0.1 * wide,
                    (values[0], values[-1]),
                )
                row |= {"confidence": 1.8, "confidence_low": 1.5, "confidence_high": 2.1}
                share = float(draw.uniform(0.2, 0.6))
                self.rows["clinicians"].append(row | {"low_confidence_share": share})
        asked: list[tuple[str, list[str], list[str]]] = [
            (question, list(CLINICIANS), [] if rating is None else list(judges))
            for question, _, rating, _ in QUESTIONS[SAFETY]
        ]
        asked += [(metric, [], list(judges)) for metric, _, _ in RATINGS[SAFETY]]
        for question, humans, of_judges in asked:
            if question == "acceptable":
                self.agreement(question, humans, of_judges, ordered=False)
            else:
                self.agreement(question, humans, of_judges, ordered=True)
        about = {"model": model, "task": SAFETY, "category": "all", "method": "pairwise"}
        strength = {persona: float(draw.normal(0, 0.5)) for persona in shown}
        for rater, n in (("clinicians", 18), *((name, 6 + i) for i, name in enumerate(CLINICIANS))):
            self.ranking(about | {"judge": rater}, strength, n, "clinician_rankings")

    def agreement(
        self, question: str, humans: list[str], judges: list[str], *, ordered: bool
    ) -> None:
        raters = [*humans, *judges]
        if len(raters) < 2:
            return
        statistics = ["agreement", "kappa", *(["kappa_quadratic"] if ordered else [])]
        kinds: dict[tuple[str, str], None] = {}
        about = {"task": SAFETY, "question": question, "n": 36}
        for a, b in combinations(raters, 2):
            of = ("human" if rater in humans else "judge" for rater in (a, b))
            kind = "–".join(sorted(of, reverse=True))
            for statistic in statistics:
                kinds[kind, statistic] = None
                centre = 0.7 if statistic == "agreement" else 0.1 if "hasty" in (a, b) else 0.45
                value = centre + float(self.generator.uniform(-0.1, 0.1))
                row = about | {"kind": kind, "rater_a": a, "rater_b": b, "statistic": statistic}
                self.rows["agreement"].append(row | self.about(value, 0.2, (-1, 1)))
        for kind, statistic in kinds:
            row = about | {"kind": kind, "statistic": statistic}
            self.rows["agreement"].append(row | self.about(0.43, 0.15))
        for kind, inside in (("human–human", humans), ("judge–judge", judges)):
            if len(inside) > 1:
                for statistic in ("ac1", "alpha_nominal", *(["alpha_ordinal"] if ordered else [])):
                    row = about | {"kind": kind, "statistic": statistic}
                    self.rows["agreement"].append(row | self.about(0.5, 0.1))

    def contrast(
        self, about: dict[str, Any], metric: str, judged: dict[str, Any], effect: float
    ) -> None:
        difference = effect + float(self.generator.normal(0, 0.15))
        difference = difference / 4 if metric in OF_CLASSES else difference
        half = 0.9 / np.sqrt(judged["n"])
        p = float(self.generator.uniform(0, 0.3)) ** 2
        main = about["variant"] == "main" and about["category"] == "all"
        row = about | {"metric": metric, "n": judged["n"], "n_baseline": judged["n"]}
        row |= {"difference": difference, "low": difference - half, "high": difference + half}
        row |= {"p": p, "p_holm": min(1.0, 9 * p) if main else None, "test": "bootstrap"}
        self.rows["judgement_contrasts"].append(row)


def random_study(
    *,
    models: Sequence[str] = ("tiny",),
    judges: Sequence[str] = tuple(JUDGES),
    personas: Sequence[str] = tuple(PERSONAS),
    variants: Sequence[str] = ("main",),
    with_panel: bool = True,
    annotated: bool = True,
) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """Tables by name, whose figures hang together as a study's do, and the figures' settings."""
    maker = Maker(np.random.Generator(np.random.PCG64(SEED)), personas, variants)
    sizes = {id_: n for id_, _, _, n in CATEGORIES}
    of_task = {
        SAFETY: {"all": N_QUESTIONS, "risky": N_QUESTIONS - sizes["benign"]} | sizes,
        REASONING: {"all": 40},
    }
    for judge, model in product(judges, models):
        task = JUDGES[judge][1]
        place = {"judge": judge, "model": model, "task": task} | trust([judge])
        maker.pairs(place, of_task[task], judge == "careful")
        maker.judgements(place, of_task[task])
    of_safety = [judge for judge in judges if JUDGES[judge][1] == SAFETY]
    if with_panel and len(of_safety) > 1:
        for model in models:
            place = {"judge": "panel", "model": model, "task": SAFETY} | trust(of_safety)
            maker.pairs(place, of_task[SAFETY], lists=False)
            maker.judgements(place, of_task[SAFETY])
    for judge in judges:
        maker.quality(judge, models)
    if annotated:
        maker.clinicians(models[0], of_safety)
    tables = {
        name: pl.DataFrame(
            [{column: row.get(column) for column in schema} for row in maker.rows[name]],
            schema=dict(schema),
        )
        for name, schema in SCHEMAS.items()
    }
    return tables, settings_of(models, judges, personas)


def settings_of(
    models: Sequence[str], judges: Sequence[str], personas: Sequence[str]
) -> dict[str, Any]:
    """The view of the figures, keys in the order of the alphabet."""
    tasks = sorted({JUDGES[judge][1] for judge in judges})
    return {
        "title": "A study of random verdicts",
        "baseline": "no_persona",
        "seed": SEED,
        "confidence": LEVEL,
        "draws": DRAWS,
        "interval": "percentile",
        "too_few_below": TOO_FEW,
        "models": {model: MODELS[model] for model in sorted(models)},
        "personas": {
            persona: {"title": PERSONAS[persona][0], "group": PERSONAS[persona][1]}
            for persona in sorted(personas)
        },
        **TITLES,
        "persona_order": list(personas),
        "ranked": sorted(personas),
        "tasks": {},
        "judges": {
            judge: {
                "title": JUDGES[judge][0],
                "reads": "answers" if JUDGES[judge][1] == SAFETY else "reasoning",
                "scale": 5,
                "ratings": [
                    {"id": id_, "title": title, "better": better}
                    for id_, title, better in RATINGS[JUDGES[judge][1]]
                ],
                "compares": True,
                "usable": RULE,
                "kin": ["tiny"] if judge == "hasty" else [],
            }
            for judge in sorted(judges)
        },
        "judged_metrics": {metric.id: asdict(metric) for metric in judged.METRICS},
        "judged_tasks": {
            task: {
                "title": "Patient safety" if task == SAFETY else "Triage with reasoning",
                "dataset": f"Data set {task}",
                "teaching": task == SAFETY,
                "sample": None if task == SAFETY else f"A sample, drawn with seed {SEED}.",
                "clustered": False,
                "categories": [
                    {"id": id_, "title": title, "benign": benign}
                    for id_, title, benign, _ in CATEGORIES
                    if task == SAFETY
                ],
                "questions": [
                    {
                        "id": id_,
                        "title": title,
                        "rating": None if asked is None else {"id": asked[0], "turned": asked[1]},
                        "values": values,
                    }
                    for id_, title, asked, values in QUESTIONS[task]
                ],
                "confidence": [{"value": 0, "label": "None"}, {"value": 4, "label": "Full"}],
            }
            for task in tasks
        },
    }
