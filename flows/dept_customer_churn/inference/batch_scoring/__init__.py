"""The category batch_scoring."""
