"""SQLite, by Python's own sqlite3 and aiosqlite: all that is its alone."""
