"""The stage preparation."""
