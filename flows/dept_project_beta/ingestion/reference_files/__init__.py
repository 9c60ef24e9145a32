"""The category reference_files."""
