"""Draws a network: its parts (`parts.py`), cards and arrows (`picture.py`), colours (`style.py`) and output files.

graph ─▶ parts ──▶ picture ──────▶ DOT text ─▶ SVG, PDF, PNG
         (collapsed)  (texts, edges)  (dot.py)    (draw.py, svg.py)
"""
