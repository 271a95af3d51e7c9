"""A page about networks, in one file that needs nothing else."""
