"""Figures of a coin."""
