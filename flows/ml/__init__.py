"""Entry points: machine learning."""
