"""Numbered releases of data sets, in the layout of a DVC remote, and making them again.

What does not belong here: what the data sets are. DVC is not imported: it only has to find its own
layout.
"""
