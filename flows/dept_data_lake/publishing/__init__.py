"""Publishing of the data lake: its catalog, and gold tables in the warehouse."""
