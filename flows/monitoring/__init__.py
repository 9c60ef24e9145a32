"""Entry points: monitoring."""
