"""The category daily_flights."""
