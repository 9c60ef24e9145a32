"""Training and prediction on files of this machine."""
