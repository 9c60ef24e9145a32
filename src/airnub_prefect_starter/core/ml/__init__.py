"""Models from tables of features. What does not belong here: the domain, and Prefect."""
