"""A study as a file that others can check."""
