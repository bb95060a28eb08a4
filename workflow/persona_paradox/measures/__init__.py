"""Numbers, with their intervals."""
