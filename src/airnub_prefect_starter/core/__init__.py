"""Plain Python that does the work: no Prefect, no Kubernetes, no command line."""
