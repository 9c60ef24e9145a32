"""Ingestion of Project Alpha: sources become stored, verified, traceable bytes."""
