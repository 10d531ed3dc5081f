"""Alembic's environment: it connects to the database that the service's settings name."""

from logging.config import fileConfig

from alembic import context
from sqlalchemy import engine_from_config, pool

from app import settings
from app.models import SQLModel

config = context.config
assert config.config_file_name is not None
fileConfig(config.config_file_name)
terms = {"target_metadata": SQLModel.metadata, "compare_type": True}


def offline() -> None:
    """Write the SQL of migrations."""
    context.configure(url=settings.DATABASE_URL, literal_binds=True, **terms)
    with context.begin_transaction():
        context.run_migrations()


def online() -> None:
    """Run migrations."""
    section = config.get_section(config.config_ini_section)
    assert section is not None
    section["sqlalchemy.url"] = settings.DATABASE_URL
    engine = engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, **terms)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    offline()
else:
    online()
