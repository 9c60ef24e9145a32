"""Entry points: extracting, transforming and loading."""
