"""Figures of readings and of steering."""
