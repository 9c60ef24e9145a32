"""Monitoring of the lake: data, runs, alerts and a dashboard."""
