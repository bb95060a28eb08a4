"""How a coin has fallen."""
