"""Taggers in use: raw text to tags. Nothing here imports PyTorch when it is imported."""
