"""Flows of no department; they may use `control`, which departments never do."""
