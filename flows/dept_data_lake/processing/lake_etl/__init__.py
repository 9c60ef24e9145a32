"""The category lake_etl."""
