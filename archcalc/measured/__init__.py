"""What was measured in PyTorch, as values: nothing here imports PyTorch."""
