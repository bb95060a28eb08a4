"""Conversations: at which turn an answer gives way."""
