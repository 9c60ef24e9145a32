"""Processing of Project Alpha: stored bytes become typed Parquet."""
