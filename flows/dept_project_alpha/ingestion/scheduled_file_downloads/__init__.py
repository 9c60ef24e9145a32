"""CSV files that are published on a schedule."""
