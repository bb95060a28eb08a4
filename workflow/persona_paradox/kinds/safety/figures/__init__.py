"""Figures of answers to patients."""
