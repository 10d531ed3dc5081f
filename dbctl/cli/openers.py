"""What a command's first parameter says that it needs: one table of type → how that is opened.

What is asked of a person, and what can be refused without connecting, comes first, in the main thread; the work that
comes of it is supervised.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from dbctl.cli.calls import Call
from dbctl.errors import ConfigError, UsageError
from dbctl.work.effects import Effects

if TYPE_CHECKING:
    from dbctl.connections.connector import Connector
    from dbctl.profiles import Profile
    from dbctl.work.own_commits import OwnCommits

Work = Callable[[], Any]

_log = logging.getLogger(__name__)

_TESTING = "testing preset"
"""The origin of what that preset says."""

_WITHOUT_CONNECTION = ("deadline", "lock", "lock_wait", "skip_locked")
_BOUNDS = ("timeout", "lock_timeout", "deadline", "isolation", "lock", "lock_wait", "skip_locked")


@dataclass(frozen=True)
class Opener:
    """How what a first parameter asks for is opened.

    Args:
        prepare: Returns the work that opens it and calls the function on it.
        terms: The terms that such a command takes as options.
        to_write: Those that it takes besides where it writes.
        profiles: Whether it has to do with profiles.
        hushed: Whether `--quiet` leaves its result out; what is only asked for to be read it does not.
    """

    prepare: Callable[[Call], Work]
    terms: Collection[str] = ()
    to_write: Collection[str] = ()
    profiles: bool = True
    hushed: bool = True

    def load(self) -> None:
        """Import and build what profiles are made of, while no signal can raise in it: pydantic would crash."""
        if self.profiles:
            import dbctl.profiles.layers  # noqa: F401
            from dbctl.profiles.model import Profile

            Profile.model_rebuild()

    def terms_of(self, effects: Effects) -> Collection[str]:
        """Return the terms that a command with these effects takes."""
        return {*self.terms, *(self.to_write if effects.writes else ())}


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


def _in_unit_of_work(choose: Callable[[Any], Any], *, by_loop: bool = False) -> Opener:
    def prepare(call: Call) -> Work:
        profile = call.profile()
        _tell_of_memory(profile)

        def work() -> Any:
            from dbctl.connections.connector import opened
            from dbctl.work.loops import opened_by_loop
            from dbctl.work.own_commits import OwnCommits

            commits = OwnCommits(refuse=call.terms.dry_run or call.terms.strict, writes=call.effects.writes)
            try:
                if by_loop:
                    with opened_by_loop(profile, call.missing) as (connector, unit):
                        return _performed(call, connector, choose, commits=commits, unit=unit)
                with opened(profile, call.missing) as connector:
                    return _performed(call, connector, choose, commits=commits)
            except Exception:
                commits.tell_what_stays()
                raise

        return work

    return Opener(prepare, (*_BOUNDS, "retries"), ("dry_run", "confirm"))


def _performed(
    call: Call, connector: Connector[Any], choose: Callable[[Any], Any], *, commits: OwnCommits, **how: Any
) -> Any:
    from dbctl.work import runs

    terms = runs.Terms(
        writes=call.effects.writes,
        dry_run=call.terms.dry_run,
        retries=call.terms.retries if call.effects.repeatable or not call.effects.writes else 0,
    )
    watching = commits if call.own else None
    result = runs.perform(
        connector,
        lambda database: call.on(choose(_asking(call, database))),
        terms,
        call.supervisor,
        call.repeatable,
        commits=watching,
        **how,
    )
    if terms.dry_run:
        _log.info("dry run: all of it is rolled back, nothing is committed")
    return result


def _asking(call: Call, database: Any) -> Any:
    if not call.effects.asks:
        return database
    return replace(database, agree=lambda what: call.agree(database.profile, what))


def _on_connector(choose: Callable[[Any], Sequence[Any]], terms: Collection[str] = _BOUNDS) -> Opener:
    def prepare(call: Call) -> Work:
        profile = call.profile()
        _tell_of_memory(profile)

        def work() -> Any:
            from dbctl.connections.connector import opened
            from dbctl.work import runs

            with opened(profile, call.missing) as connector, runs.locked(connector, runs.Terms(), call.supervisor):
                return call.on(*choose(connector))

        return work

    return Opener(prepare, terms, ("confirm",))


def _in_turn(call: Call) -> Work:
    profile = call.profile()

    def work() -> Any:
        from contextlib import ExitStack

        from dbctl.connections.connector import opened
        from dbctl.work import runs
        from dbctl.work.database import Turn

        with opened(profile) as connector, ExitStack() as held:
            # Only this may wait for a server: what follows sees to signals itself.
            lock = runs.locked(connector, runs.Terms(), call.supervisor)
            call.supervisor.run(lambda: held.enter_context(lock), call.terms.deadline)
            return call.on(Turn(connector.backend, call.supervisor.guard, call.supervisor.deadline))

    return work


def _tell_of_memory(profile: Profile) -> None:
    """Say that a database is in memory, lest what is done in it be taken for done."""
    if profile.in_memory:
        origin = profile.origins.get("database", profile.origins.get("driver", "the profile"))
        passed = (
            ", by which DATABASE_URL is not looked at" if origin == _TESTING and "DATABASE_URL" in os.environ else ""
        )
        _log.info("the database is in memory (%s%s): it begins empty, and is gone at the end", origin, passed)


def _on_profile(call: Call) -> Work:
    profile = call.profile()
    return lambda: call.on(profile)


def _on_migrations(call: Call) -> Work:
    profile = call.profile()
    _tell_of_memory(profile)

    def work() -> Any:
        from dbctl.migrations.access import Migrations, require_alembic

        require_alembic()
        terms = call.terms
        migrations = Migrations(profile, call.missing, terms.dry_run, terms.retries, call.supervisor)
        with migrations, migrations.backend.translating():
            result = call.on(migrations)
        if terms.dry_run:
            _log.info("dry run: all of it is rolled back, nothing is committed")
        return result

    return work


def _on_profiles(call: Call) -> Work:
    profiles = replace(call.profiles(), named=tuple(call.said.profile or ()))
    return lambda: call.on(profiles)


def _on_file(call: Call) -> Work:
    from dbctl.profiles.writing import ProfileFile  # only those commands that change the file need it

    if call.said.url is not None or call.said.profile:
        raise UsageError(
            "--url and --profile choose where to connect, and this command changes the profile file alone",
            "name the profile as an argument",
        )
    file = ProfileFile.found(call.said.config, dry_run=call.terms.dry_run)
    return lambda: call.on(file)


def _on_manual(call: Call) -> Work:
    from dbctl.cli.manual import manual

    return lambda: call.on(manual(call.said.config))


# By name, since to import the types themselves would be to load SQLAlchemy for a command's help.
OPENERS: Mapping[str, Opener] = {
    "dbctl.work.database.Database": _in_unit_of_work(lambda database: database),
    "sqlmodel.orm.session.Session": _in_unit_of_work(lambda database: database.session),
    "sqlalchemy.orm.session.Session": _in_unit_of_work(lambda database: database.session),
    "sqlalchemy.engine.base.Connection": _in_unit_of_work(lambda database: database.session.connection()),
    "dbctl.connections.connector.Connector": _on_connector(lambda connector: [connector]),
    "sqlalchemy.engine.base.Engine": _on_connector(lambda connector: [connector.engine]),
    "dbctl.profiles.model.Profile": Opener(_on_profile),
    "dbctl.work.database.Turn": Opener(_in_turn, _WITHOUT_CONNECTION, ("confirm",)),
    "dbctl.profiles.discovery.Profiles": Opener(_on_profiles),
    "dbctl.profiles.writing.ProfileFile": Opener(_on_file, to_write=("dry_run",)),
    "dbctl.migrations.access.Migrations": Opener(
        _on_migrations, ("timeout", "deadline"), ("lock_timeout", "lock_wait", "retries", "dry_run", "confirm")
    ),
    "dbctl.manual.Manual": Opener(_on_manual, profiles=False, hushed=False),
    "sqlmodel.ext.asyncio.session.AsyncSession": _in_unit_of_work(lambda database: database.session, by_loop=True),
    "sqlalchemy.ext.asyncio.session.AsyncSession": _in_unit_of_work(lambda database: database.session, by_loop=True),
}

NOTHING = _on_connector(lambda connector: [], _WITHOUT_CONNECTION)
"""How a function without such a parameter is called: locked and confirmed all the same."""

LOCKED_PROFILE = _on_connector(lambda connector: [connector.profile])
"""How a service's own function that asks for a profile is called: it connects by itself, and the lock is held."""
