"""What every layer may use: errors, names, settings, time. Standard library and pydantic only."""
