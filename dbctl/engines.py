"""From a profile to the engine that the service itself would build."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.profiles import Profile, Profiles

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.backends.base import Backend

WRITES = "dbctl_writes"
"""The execution option that tells an engine's begin event that the transaction means to write."""


def build_engine(profile: Profile, missing: Missing = Missing.CREATE) -> Engine:
    """Build a new engine with the profile's driver, pool, timeouts and TLS. Nothing is connected yet.

    Args:
        profile: The profile.
        missing: What connecting does where the database is a file that is not there.

    Raises:
        ConfigError: The password's source gives none, or a certificate can't be loaded.
    """
    backend = backend_of(profile)
    engine = create_engine(
        backend.url(),
        connect_args=backend.connect_args(),
        hide_parameters=profile.protected,
        **backend.pool_options(),
    )
    backend.prepare(engine, missing)
    _listen_for_begin(engine, backend)
    if profile.echo:
        _echo_to_stderr(engine)
    return engine


def engine(profile: str | Profile | None = None) -> Engine:
    """Return this process's one engine for a profile, which is built when it is first asked for.

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.

    Raises:
        ConfigError: There is no such profile, or it is wrong.
    """
    return _shared(profile)[1]


def backend_and_engine(profile: str | Profile | None) -> tuple[Backend, Engine]:
    """Return `engine(profile)` together with the backend it belongs to."""
    return _shared(profile)


def dispose() -> None:
    """Close the idle connections of all engines that `engine` has handed out, and forget the engines."""
    for _, shared in list(_engines.values()):
        shared.dispose()
    _engines.clear()
    _shared.cache_clear()


_engines: dict[Profile, tuple[Backend, Engine]] = {}


@functools.cache
def _shared(profile: str | Profile | None) -> tuple[Backend, Engine]:
    if not isinstance(profile, Profile):
        profile = Profiles.load(name=profile).select()
    # setdefault lets one thread win where two build the same engine; the loser's has connected to nothing.
    return _engines.setdefault(profile, (backend_of(profile), build_engine(profile)))


def _listen_for_begin(engine: Engine, backend: Backend) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        backend.begin(connection, writes=bool(connection.get_execution_options().get(WRITES)))


def _echo_to_stderr(engine: Engine) -> None:
    """Echo as `echo=True` does, but on stderr: a handler that is there already keeps SQLAlchemy's own off stdout."""
    logger = logging.getLogger("sqlalchemy.engine.Engine")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
    engine.echo = True
