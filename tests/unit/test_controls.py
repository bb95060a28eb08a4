"""The control personas are as long as the clinical ones, as config/README.md says."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import yaml
from root import ROOT

CLINICAL = (
    "ed_nurse",
    "ed_physician",
    "ed_physician_bold",
    "ed_physician_cautious",
    "general_practitioner",
)
WORDINGS = {
    "main": "main wording",
    "paraphrase_1": "first paraphrase",
    "paraphrase_2": "second paraphrase",
}


def personas() -> dict[str, dict]:
    folder = ROOT / "config/personas"
    return {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.yaml"))
    }


def controls() -> list[str]:
    return [id_ for id_, persona in personas().items() if persona["group"] == "control"]


def described(lengths: Iterable[int], digits: int) -> str:
    found = list(lengths)
    return f"{sum(found) / len(found):.{digits}f} ({min(found)}–{max(found)})"


@pytest.mark.parametrize("wording", WORDINGS)
def test_the_lengths_are_those_of_the_table(wording):
    known = personas()
    groups = [[known[id_]["texts"][wording] for id_ in ids] for ids in (CLINICAL, controls())]
    words = [described((len(t.split()) for t in texts), 1) for texts in groups]
    characters = [described(map(len, texts), 0) for texts in groups]
    row = f"| {' | '.join([WORDINGS[wording], *words, *characters])} |"
    assert row in (ROOT / "config/README.md").read_text(encoding="utf-8")


def test_there_are_twenty_of_three_wordings_and_a_study_has_them_all():
    known = personas()
    assert len(controls()) == 20
    assert all(list(known[id_]["texts"]) == list(WORDINGS) for id_ in controls())
    text = (ROOT / "config/studies/effects.yaml").read_text(encoding="utf-8")
    assert set(controls()) <= set(yaml.safe_load(text)["personas"])
