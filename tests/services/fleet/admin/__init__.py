"""Commands of the service's own."""
