"""What talks to Prefect's API: the reconciler and the embedded platform."""
