"""Figures of initiative."""
