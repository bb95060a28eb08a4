"""Figures of ambiguous cases and of conformal sets."""
