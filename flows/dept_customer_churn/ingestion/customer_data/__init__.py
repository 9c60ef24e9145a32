"""The category customer_data."""
