"""What the APIs say about airports, planes and airlines."""
