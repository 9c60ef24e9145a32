"""The category feature_engineering."""
