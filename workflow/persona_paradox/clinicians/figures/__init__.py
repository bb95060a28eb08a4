"""Figures of clinicians beside judges."""
