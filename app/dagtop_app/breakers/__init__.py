"""Circuit breakers as the console shows them. Pure."""
