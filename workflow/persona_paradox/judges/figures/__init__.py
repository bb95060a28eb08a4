"""Figures of what judges say."""
