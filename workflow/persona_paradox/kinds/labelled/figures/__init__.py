"""Figures of answers that are one of some labels, of whatever kind the task is."""
