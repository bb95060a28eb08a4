"""The results as a page and in words."""
