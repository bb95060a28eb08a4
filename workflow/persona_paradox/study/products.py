"""What a study can make: the ids of its tables."""

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
