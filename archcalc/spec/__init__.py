"""From the text of a spec to a flat list of layers."""
