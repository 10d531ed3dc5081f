"""Look at the connection profiles."""
