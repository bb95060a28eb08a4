"""How urgent a case is."""
