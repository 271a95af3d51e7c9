"""Writes a page about networks as one self-contained HTML file."""
