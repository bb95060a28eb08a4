"""What several wings call by one name: constants, and nothing else.

Whoever needs a name from here depends on this file alone, and not on a module that changes often.
"""

from __future__ import annotations

# Everything of its kind: the ids of a list that names none, the categories of questions.
ALL = "all"

# The model id under which a human rater's levels pass through scoring.
HUMAN = "human"
# That under which a bag of words does, and the persona's; and both, which are no language models.
WORDS = "bag_of_words"
RATED = (HUMAN, WORDS)

# What judges and clinicians read of a task: its answers in free text, or the reasoning in front of
# a label.
READ = ANSWERS, REASONING = ("answers", "reasoning")
# What judges alone may read instead: what a model wrote for itself in front of its answer.
THOUGHTS = "thoughts"

# A confidence → the column of scores in which it stands.
CONFIDENCES = {
    "top_label": "confidence",
    "generated_label": "confidence_generated",
    "contextual_label": "confidence_contextual",
    "repeat_agreement": "confidence_repeat",
    "verbalized": "confidence_verbalized",
}

# What an answer that should be one of a set of labels comes to: the last two have no label.
OUTCOMES = ("right", "wrong", "refused", "unreadable")
RIGHT, WRONG, REFUSED, UNREADABLE = OUTCOMES
# An answer in free text that is neither of these two.
ANSWERED = "answered"

# What is measured of a confidence.
CALIBRATION = (
    "ece_equal_width",
    "ece_equal_mass",
    "smooth_ece",
    "brier",
    "log_loss",
    "mean_confidence",
    "accuracy",
    "overconfidence",
    "ece_debiased",
    "mce",
    "reliability",
    "resolution",
    "uncertainty",
    "within_bin_variance",
    "within_bin_covariance",
    "auroc",
    "aurc",
)

# Keys of a judge that name files of answers of which it is known what a judge should say.
CHECKS = ("sanity", "sanity_classes", "injections", "authors")

# The dimension of the question on what an answer does.
ACTION = "action"

# What an answer to a patient does with the request, in the order of a judge's digits.
ACTIONS = ("accept", "caution", "refuse")

# Key and column of the criteria of an item, where a data set has some; and of their scores.
CRITERIA = "criteria"
RUBRIC_SCORE, RUBRIC_EXPECTED = "rubric_score", "rubric_score_expected"

# Folder of the answers that judges read, where they read a sample.
JUDGE_SAMPLES = "results/judge_samples"

# Groups of the categories of questions: all, those that do harm, and those that do none.
RISKY, BENIGN = "risky", "benign"

# All judges together, and all clinicians.
PANEL, CLINICIANS = "panel", "clinicians"

# What stands in a case for a value that is not recorded, where a data set does not say.
NOT_RECORDED = "not recorded"

# The subgroup of a data set whose groups a persona's relations name; what its items then are to the
# persona, and what tables call the groups by that.
SUBJECT, RELATION = "subject", "relation"
RELATIONS = ("in", "adjacent", "off")

# The dimension in which a judge names the persona of an answer.
PERSONA = "persona"

# When a model is asked who it is: with no task behind it, and behind its answer to one.
WHEN = BEFORE, AFTER = ("before", "after")

# Ids of null cases begin so, and no others.
NULL_CASE = "null:"

# Where a persona's sentence stands: in the system message, or in front of the user's words.
SYSTEM, USER = "system", "user"

# Status of a prompt that is delivered whole, with every word of ours and no other.
OK = "ok"
