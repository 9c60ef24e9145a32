"""The category contracts."""
