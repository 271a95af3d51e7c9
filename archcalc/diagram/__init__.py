"""A network as a picture: what is drawn (`parts.py`, `picture.py`), how it looks (`style.py`), and who draws it.

graph ─▶ parts ──▶ picture ──────▶ DOT text ─▶ SVG, PDF, PNG
         (collapsed)  (texts, edges)  (dot.py)    (draw.py, svg.py)
"""
