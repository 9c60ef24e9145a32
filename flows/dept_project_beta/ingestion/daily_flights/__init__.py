"""The flights of each day."""
