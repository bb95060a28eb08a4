"""Figures of policies."""
