"""What a command's first parameter says that it needs: one table of type → how that is opened.

What is asked of a person, and what can be refused without connecting, comes first, in the main thread; the work that
comes of it is supervised.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from dbctl.cli import opening, several
from dbctl.cli.calls import Call
from dbctl.cli.opening import BOUNDS, WITHOUT_CONNECTION, Opener, Work, in_unit_of_work, on_connector
from dbctl.errors import ConfigError, UsageError

_log = logging.getLogger(__name__)


def known_opener(needed: Any) -> Opener | None:
    """Return how what a first parameter is annotated with is opened; None where nothing of the kind can be."""
    if get_origin(needed) is Annotated:
        return known_opener(get_args(needed)[0])
    if get_origin(needed) in {Union, UnionType}:
        return next(filter(None, map(known_opener, get_args(needed))), None)
    kind = get_origin(needed) or needed
    return OPENERS.get(f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}")


def opener_for(needed: Any, name: str) -> Opener:
    """Return how what a command needs is opened.

    Args:
        needed: The annotation of its first parameter.
        name: The command's name, for the message.

    Raises:
        ConfigError: Nothing of the kind can be opened.
    """
    opener = known_opener(needed)
    if opener is None:
        kind = get_origin(needed) or needed
        allowed = ", ".join(dict.fromkeys(key.rpartition(".")[2] for key in OPENERS))
        shown = "nothing" if needed is None else getattr(kind, "__qualname__", kind)
        raise ConfigError(
            f"command {name}: its first parameter is annotated with {shown}",
            f"it says what the command needs, one of {allowed}",
        )
    return opener


def _async_connection(database: Any) -> Any:
    """Return the connection of an async session, which is in the unit of work."""
    from dbctl.work.loops import loop_here

    with loop_here() as loop:
        return loop.run(database.session.connection())


def _on_crossing(call: Call) -> Work:
    """Open the engine of the profile that rows come into, confirmed and locked; the source's is opened by its name."""
    if call.said.profile or call.said.url is not None:
        raise UsageError("--profile and --url choose one database, and this takes two", "say --from and --to")
    target = call.named(call.arguments["target"])
    call.agree_first(target)

    def work() -> Any:
        from dbctl.bulk.crossing import Crossing
        from dbctl.connections.connector import opened
        from dbctl.connections.watching import watched_by

        with watched_by(call.supervisor), opened(target, call.missing) as connector, call.locked(target):
            result = call.on(Crossing(connector, call.named, call.supervisor, call.terms.dry_run))
        if call.terms.dry_run:
            _log.info("dry run: all of it is rolled back, nothing is committed")
        return result

    return work


# By name, since to import the types themselves would be to load SQLAlchemy for a command's help.
OPENERS: Mapping[str, Opener] = {
    "dbctl.work.database.Database": in_unit_of_work(lambda database: database),
    "sqlmodel.orm.session.Session": in_unit_of_work(lambda database: database.session),
    "sqlalchemy.orm.session.Session": in_unit_of_work(lambda database: database.session),
    "sqlalchemy.engine.base.Connection": in_unit_of_work(lambda database: database.session.connection()),
    "dbctl.connections.connector.Connector": on_connector(lambda connector: [connector]),
    "sqlalchemy.engine.base.Engine": on_connector(lambda connector: [connector.engine]),
    "dbctl.profiles.model.Profile": Opener(opening.on_profile, to_write=("confirm",)),
    "dbctl.bulk.crossing.Crossing": Opener(_on_crossing, BOUNDS, ("dry_run", "confirm"), takes_one=False),
    "dbctl.work.database.Turn": Opener(opening.in_turn, WITHOUT_CONNECTION, ("confirm",)),
    "dbctl.profiles.discovery.Profiles": Opener(several.on_profiles, takes_one=False),
    "dbctl.fleet.Several": Opener(several.on_several, ("deadline",), takes_one=False, together=True),
    "dbctl.profiles.writing.ProfileFile": Opener(opening.on_file, to_write=("dry_run",), takes_one=False),
    "dbctl.migrations.access.Migrations": Opener(
        opening.on_migrations,
        ("timeout", "deadline"),
        ("lock_timeout", "lock_wait", "no_lock", "retries", "dry_run", "confirm"),
        alone=True,  # alembic hands its environment to env.py as a module's global
    ),
    "dbctl.setup.Undertaking": Opener(
        opening.on_undertaking, ("timeout", "deadline"), ("lock_timeout", "lock_wait", "dry_run", "confirm")
    ),
    "dbctl.databases.places.Place": Opener(opening.on_place, ("deadline",), ("dry_run", "confirm")),
    "dbctl.manual.Manual": Opener(opening.on_manual, profiles=False, takes_one=False, hushed=False),
    "sqlmodel.ext.asyncio.session.AsyncSession": in_unit_of_work(lambda database: database.session, by_loop=True),
    "sqlalchemy.ext.asyncio.session.AsyncSession": in_unit_of_work(lambda database: database.session, by_loop=True),
    "sqlalchemy.ext.asyncio.engine.AsyncConnection": in_unit_of_work(_async_connection, by_loop=True),
    "sqlalchemy.ext.asyncio.engine.AsyncEngine": Opener(opening.on_async_engine, BOUNDS, ("confirm",)),
}

NOTHING = on_connector(lambda connector: [], WITHOUT_CONNECTION)
"""How a function without such a parameter is called: locked and confirmed all the same."""

LOCKED_PROFILE = on_connector(lambda connector: [connector.profile])
"""How a service's own function that asks for a profile is called: it connects by itself, and the lock is held."""
