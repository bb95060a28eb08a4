"""Initiative: cases with a planted problem or without one, answered in free text."""
