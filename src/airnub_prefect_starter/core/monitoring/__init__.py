"""What is wrong with data, runs and machines, in numbers: checks, metrics, alerts, a dashboard.

Nothing here knows Prefect, and nothing here changes what it looks at.
"""
