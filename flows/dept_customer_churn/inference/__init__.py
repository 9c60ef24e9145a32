"""The stage inference."""
