"""Figures of who is named."""
