"""Look at the log of transfers."""
