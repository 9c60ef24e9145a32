"""The stage model_building."""
