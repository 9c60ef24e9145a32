"""Ingestion of Project Beta."""
