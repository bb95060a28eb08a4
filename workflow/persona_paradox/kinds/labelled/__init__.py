"""Answers that are one of a set of labels."""
