"""Generators: names and answers become files.

Answers → a plan of texts (`department`, `category`, `task`) → a diff, or files on disk (`write`).
Nothing here asks or prints, and nothing needs Prefect; templates mirror what they become.
"""
