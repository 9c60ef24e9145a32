"""JSON APIs, paged four different ways."""
