"""A service's tables: found in its modules, created where they are missing, dropped where they are there."""
