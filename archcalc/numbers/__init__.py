"""Bounded, unknown and size-dependent numbers, and how numbers are read and written."""
