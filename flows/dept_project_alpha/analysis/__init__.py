"""Analysis of Project Alpha: typed Parquet becomes summaries and plots."""
