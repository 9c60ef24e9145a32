"""Features of articles for machine learning: five groups of pure functions on frames.

What is learned from data (means of authors, terms, scales, thresholds) is fitted on the training
rows alone, is a value that JSON holds, and is an argument of the functions that use it. The module
that holds configuration (``steps.py``) does not import scikit-learn.
"""
