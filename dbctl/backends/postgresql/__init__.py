"""PostgreSQL, by psycopg2 and asyncpg: all that is its alone."""
