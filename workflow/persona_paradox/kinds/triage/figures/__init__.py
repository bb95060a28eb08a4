"""Figures of triage."""
