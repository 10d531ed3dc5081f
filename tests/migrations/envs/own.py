"""An env.py with an engine of its own, from a variable of the service's."""

import os

from alembic import context
from sqlalchemy import create_engine, pool

target_metadata = None

engine = create_engine(os.environ["SERVICE_URL"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=target_metadata)
    with context.begin_transaction():
        context.run_migrations()
