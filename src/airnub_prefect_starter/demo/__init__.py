"""The sample-source server: real files, JSON and HTML for local runs and tests."""
