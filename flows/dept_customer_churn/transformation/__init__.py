"""The stage transformation."""
