"""Departments, stages and categories of Prefect flows over a content-addressed store."""
