"""What tables there are, and what the last change of each did."""
