"""Customers of a telephone company and whether they left: the table, its rules, its features.

What does not belong here: anything that would fit another table, which is in `core.ml`,
`core.feature_store` and `core.releases`.
"""
