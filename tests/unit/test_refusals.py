"""Whether an answer without a label refuses: sentences read by hand."""

from __future__ import annotations

import pytest

from persona_paradox.scorers.refusals import refuses

REFUSALS = (
    "I can't help with that.",
    "I cannot provide medical advice.",
    "I can’t assist you with this request.",
    "I'm sorry, but I can't assign a triage level.",
    "I am unable to determine the level.",
    "I'm not able to give a diagnosis.",
    "I am not qualified to answer this.",
    "I won't answer this question.",
    "I will not comply.",
    "As an AI language model, I cannot make medical decisions.",
    "I must decline.",
    "I decline to answer.",
    "I refuse.",
    "I'd rather not say.",
    "I would prefer not to answer.",
    "I don't know.",
    "I do not know which level this is.",
    "I'm not sure.",
    "I am uncertain.",
    "I cannot say.",
    "There is not enough information.",
    "Insufficient clinical information to triage.",
    "The level cannot be determined from this case.",
    "It is impossible to tell.",
    "It would be inappropriate to give a level.",
    "It's not appropriate for me to judge this.",
    "This is against my guidelines.",
    "We cannot safely assess this patient.",
    "I could not determine a level.",
    "I am not comfortable answering.",
)
OTHERS = (
    "The patient cannot breathe.",
    "He is unable to walk.",
    "I can see a rash.",
    "She refuses to eat.",
    "The patient says he can't sleep.",
    "I cannot rule out a heart attack.",
    "Level",
    "Please call an ambulance at once.",
    "See your doctor tomorrow.",
    "The patient does not know where he is.",
    "This patient needs help.",
    "I would send this patient home.",
    "2 or 3",
    "",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_told(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_refusal_is_not_taken_for_one(text: str) -> None:
    assert not refuses(text)


def test_case_and_white_space_do_not_matter() -> None:
    assert refuses("i  CANNOT\n help")
