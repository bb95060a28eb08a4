"""Library of the Persona Paradox workflow: what a medical persona does to a language model."""

__version__ = "0.1.0"
