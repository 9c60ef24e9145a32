"""The category dvc_release."""
