"""Freshness, volume, nulls, duplicates, schema and drift of the lake."""
