"""HTML pages, politely."""
