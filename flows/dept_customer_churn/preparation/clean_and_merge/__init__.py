"""The category clean_and_merge."""
