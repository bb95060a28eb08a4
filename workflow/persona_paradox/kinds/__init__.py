"""Kinds of tasks: a folder each."""
