"""Numbers that are more than a number."""
