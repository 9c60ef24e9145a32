"""The airlines' codes and names."""
