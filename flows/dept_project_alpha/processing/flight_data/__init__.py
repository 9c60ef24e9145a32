"""Monthly flights, planes, airports and weather."""
