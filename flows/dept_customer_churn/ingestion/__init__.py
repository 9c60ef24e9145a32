"""The stage ingestion."""
