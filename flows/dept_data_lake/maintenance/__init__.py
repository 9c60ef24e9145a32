"""Maintenance of the data lake's tables."""
