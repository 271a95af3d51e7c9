"""The network in PyTorch. The only package that imports torch at the top; nothing static imports it."""
