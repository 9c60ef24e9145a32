"""The category flight_files."""
