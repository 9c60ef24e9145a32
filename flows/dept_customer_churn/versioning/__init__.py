"""The stage versioning."""
