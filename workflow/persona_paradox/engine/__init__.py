"""What answers, and what was answered."""
