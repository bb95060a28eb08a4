"""Answers to patients, which judges and clinicians read."""
