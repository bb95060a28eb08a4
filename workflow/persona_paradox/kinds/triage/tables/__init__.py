"""Tables that triage has besides those of every kind."""
