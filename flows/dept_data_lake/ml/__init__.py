"""The stage ml."""
