"""Flows by department, stage and category; one folder each."""
