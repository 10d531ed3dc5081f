"""A service's alembic migrations, run on a profile's engine: one run at a time, and honest about what stays.

alembic's own context is a process's: two runs in one process wait for each other, and several at once are processes.
"""
