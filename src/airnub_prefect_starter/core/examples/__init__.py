"""What the examples in ``flows/examples`` do, without Prefect; departments do not use it."""
