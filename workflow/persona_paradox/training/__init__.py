"""Adapters (LoRA) that are trained from the very file that runs."""
