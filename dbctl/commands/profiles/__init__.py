"""Look at the connection profiles, and keep the file that they are in."""
