"""Clinicians who judge answers."""
