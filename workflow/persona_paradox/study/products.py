"""What a study can make: the ids of its tables and figures."""

from __future__ import annotations

# Tables that one program writes together.
CELL_TABLES = (
    *("cells", "contrasts", "robustness", "spread", "confusion", "calibration", "reliability"),
    *("risk_coverage", "subgroups"),
)
DECOMPOSED_TABLES = ("variance", "interaction")
JUDGED_TABLES = ("judgements", "judgement_contrasts", "rankings", "wins", "judges")
CLINICIAN_TABLES = ("clinicians", "clinician_rankings", "agreement")

# What says whether the other tables can be trusted: it is never left out.
TRUST_TABLES = ("judges", "delivery", "thoughts")

TRIAGE_FIGURES = (
    *("triage_accuracy", "reliability", "risk_coverage", "risk_plane", "sensitivity_criterion"),
    *("confusion", "consistency", "persona_effect", "spread", "subgroup_effects"),
)
JUDGED_FIGURES = (
    *("safety", "action_shares", "win_matrix", "bradley_terry", "judge_quality"),
    *("agreement", "judge_human"),
)
