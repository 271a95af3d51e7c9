"""Results of measurements in PyTorch; nothing here imports PyTorch."""
