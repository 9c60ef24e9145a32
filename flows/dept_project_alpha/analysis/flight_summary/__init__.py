"""Flights and delays by month, carrier and origin."""
