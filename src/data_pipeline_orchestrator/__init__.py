"""The churn pipeline as one program: six steps in order, each a script."""
