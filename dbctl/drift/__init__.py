"""Drift: where a database differs from what a service's models declare.

alembic compares; where the two may only use other words for the same thing, the database itself is asked (`scratch`).
"""
