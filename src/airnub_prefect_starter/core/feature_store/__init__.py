"""Features as a Delta table with a typed registry, and reads as of a time.

What does not belong here: what a feature of one domain is computed of, and models.
"""
