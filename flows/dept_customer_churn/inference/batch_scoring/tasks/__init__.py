"""Task wrappers of this category."""
