"""The stage validation."""
