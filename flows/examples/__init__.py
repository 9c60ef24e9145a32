"""Examples to learn from, each a program of its own; they may use `control` and departments."""
