"""Cases on which raters differ, and sets of levels where one answer would say too much."""
