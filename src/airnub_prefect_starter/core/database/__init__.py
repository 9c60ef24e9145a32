"""Tables of databases: one snapshot, read in chunks, written as canonical JSON lines.

Built on SQLAlchemy. What a category calls is in `core.database_handlers`.
"""
