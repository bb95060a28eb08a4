"""What is measured of answers that are one of a fixed set of labels."""

from __future__ import annotations

from ...measures.metric import Metric

METRICS = (
    Metric(
        "accuracy",
        "Accuracy",
        "share",
        "high",
        "paired",
        "Share of all items whose answer is the reference; an invalid answer is wrong.",
        source="share; that an invalid answer is wrong is own",
    ),
    Metric(
        "accuracy_logprob",
        "Accuracy of the read-out",
        "share",
        "high",
        "paired",
        "Share of all items whose label of the largest log-probability is the reference.",
        source="share",
    ),
    Metric(
        "accuracy_contextual",
        "Accuracy after contextual calibration",
        "share",
        "high",
        "paired",
        "The same after contextual calibration by null cases.",
        source="Zhao et al. 2021",
    ),
    Metric(
        "invalid_rate",
        "Invalid answers",
        "share",
        "low",
        "paired",
        "Share of all items without a label that can be read: refused or unreadable.",
        source="share",
    ),
    Metric(
        "refused_rate",
        "Refused",
        "share",
        None,
        "paired",
        "Share of all items whose answer has no label and refuses, by the published phrases.",
        own=True,
    ),
    Metric(
        "unreadable_rate",
        "Unreadable",
        "share",
        "low",
        "paired",
        "Share of all items whose answer has no label and does not refuse, or that have none.",
        source="share",
    ),
    Metric(
        "consistency_readout",
        "Answer and read-out agree",
        "share",
        "high",
        "none",
        "Share of all items whose answer is the label of the largest log-probability.",
        own=True,
    ),
    Metric(
        "consistency_persona",
        "Same answer as the baseline",
        "share",
        None,
        "none",
        "Share of all items answered as under the baseline, two invalid answers being the same.",
        own=True,
    ),
    Metric(
        "label_mass",
        "Probability of all labels",
        "share",
        "high",
        "none",
        "Mean over items of the probability of all labels together.",
        own=True,
    ),
    Metric(
        "consistency_repeat",
        "Sampled answers agree",
        "share",
        "high",
        "none",
        "Mean over items of the share of pairs of sampled answers with the same label.",
        own=True,
    ),
    Metric(
        "repeat_entropy",
        "Entropy of sampled answers",
        "nats",
        "low",
        "none",
        "Mean over items of the entropy of the sampled labels.",
        source="Shannon's; too small by about (labels seen - 1) / 2R (Miller 1955)",
    ),
)

# What is counted of a cell besides.
COUNTS = ("n_not_run", "n_repeats", "n_invalid_repeats", "n_low_label_mass")
