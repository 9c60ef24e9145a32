"""The category drift."""
