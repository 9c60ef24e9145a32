"""The stage processing."""
