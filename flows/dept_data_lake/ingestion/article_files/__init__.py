"""Articles as CSV, what features are made of."""
