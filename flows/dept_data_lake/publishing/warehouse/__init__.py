"""Gold tables in PostgreSQL."""
