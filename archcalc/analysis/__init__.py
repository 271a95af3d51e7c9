"""Questions to the whole graph, one file each. None knows a layer by name."""
