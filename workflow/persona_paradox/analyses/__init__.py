"""Questions to several cells at once."""
