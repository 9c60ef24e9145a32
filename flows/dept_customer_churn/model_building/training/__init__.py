"""The category training."""
