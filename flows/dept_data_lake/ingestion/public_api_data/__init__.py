"""The category public_api_data."""
