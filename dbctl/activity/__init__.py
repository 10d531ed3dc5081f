"""Who does what in a database, who keeps whom waiting, and how to end that."""
