"""Ablation studies of attention pooling in a PyTorch text classifier."""
