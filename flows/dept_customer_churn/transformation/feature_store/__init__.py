"""The category feature_store."""
