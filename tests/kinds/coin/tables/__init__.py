"""Tables of a coin."""
