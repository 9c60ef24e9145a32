"""Tasks of this category."""
