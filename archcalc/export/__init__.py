"""A network as something that other programs read: the source text of a PyTorch module."""
