"""Run alembic's migrations on a profile's engine, one run at a time.

Every other word, such as history, heads, merge or revision --autogenerate, goes to alembic's own command line, with the
profile's connection.
"""

PANEL = "Service"
PLACE = 15
PAGE = "migrate"
OTHERS = "alembic"
