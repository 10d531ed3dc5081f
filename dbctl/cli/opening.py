"""How what a command needs is opened for it: what is asked of a person first, and the work that is supervised."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.cli.calls import Call
from dbctl.errors import UsageError
from dbctl.records import record
from dbctl.work.effects import Effects

if TYPE_CHECKING:
    from dbctl.connections.connector import Connector
    from dbctl.profiles import Profile
    from dbctl.work.own_commits import OwnCommits

Work = Callable[[], Any]

_log = logging.getLogger(__name__)

_TESTING = "testing preset"
"""The origin of what that preset says."""

WITHOUT_CONNECTION = ("deadline", "lock", "lock_wait", "skip_locked")
BOUNDS = ("timeout", "lock_timeout", "deadline", "isolation", "lock", "lock_wait", "skip_locked", "max_lag")


@record
class Opener:
    """How what a first parameter asks for is opened.

    Args:
        prepare: Returns the work that opens it and calls the function on it.
        terms: The terms that such a command takes as options.
        to_write: Those that it takes besides where it writes, or loads the database.
        profiles: Whether it has to do with profiles.
        supervised: Those of them that bind only what is supervised.
        takes_one: Whether the function gets one profile, or what is opened by it, and so can be called for several.
        alone: Whether no other may be open in this process at the same time.
        together: Whether it gets several profiles to look at together, of which `--jobs` says how many at a time.
        hushed: Whether `--quiet` leaves its result out; what is only asked for to be read it does not.
    """

    prepare: Callable[[Call], Work]
    terms: Collection[str] = ()
    to_write: Collection[str] = ()
    supervised: Collection[str] = ()
    profiles: bool = True
    takes_one: bool = True
    alone: bool = False
    together: bool = False
    hushed: bool = True

    def load(self) -> None:
        """Import and build what profiles are made of, while no signal can raise in it: pydantic would crash."""
        if self.profiles:
            import dbctl.profiles.layers  # noqa: F401
            from dbctl.profiles.model import Profile

            Profile.build()

    def terms_of(self, effects: Effects) -> Collection[str]:
        """Return the terms that a command with these effects takes."""
        taken = {*self.terms, *(self.to_write if effects.writes or effects.strains else ())}
        return taken - {*self.supervised} if effects.owns_terminal else taken


def in_unit_of_work(choose: Callable[[Any], Any], *, by_loop: bool = False) -> Opener:
    """Open a session on the profile in a unit of work; `choose` takes from it what the function gets."""

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

    return Opener(prepare, (*BOUNDS, "retries"), ("dry_run", "confirm"))


def _performed(
    call: Call, connector: Connector[Any], choose: Callable[[Any], Any], *, commits: OwnCommits, **how: Any
) -> Any:
    from dbctl.work.runs import perform
    from dbctl.work.terms import Terms

    terms = Terms(
        writes=call.effects.writes,
        dry_run=call.terms.dry_run,
        retries=call.terms.retries if call.effects.repeatable or not call.effects.writes else 0,
    )
    watching = commits if call.own else None
    result = perform(
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
    from dbctl.cli.prompts import ask_new_password
    from dbctl.work.database import Database

    if isinstance(database, Database):  # and not that of the async driver
        database = replace(database, ask=ask_new_password)
    if not call.effects.asks:
        return database
    return replace(
        database,
        agree=lambda what: call.agree(database.profile, what),
        consent=lambda what, by_rule=False: call.consent(database.profile, what, by_rule=by_rule),
    )


def on_connector(choose: Callable[[Any], Sequence[Any]], terms: Collection[str] = BOUNDS) -> Opener:
    """Open the profile's engine, locked, without a transaction; `choose` says what of it the function gets."""

    def prepare(call: Call) -> Work:
        profile = call.profile()
        _tell_of_memory(profile)

        def work() -> Any:
            from dbctl.connections.connector import opened
            from dbctl.connections.watching import watched_by

            # What owns the terminal asks the supervisor too, whether the lock is still held.
            with (
                watched_by(call.supervisor),
                opened(profile, call.missing) as connector,
                call.locked(profile),
            ):
                return call.on(*choose(connector))

        return work

    return Opener(prepare, terms, ("confirm",), supervised=("deadline",))


def on_async_engine(call: Call) -> Work:
    """Open the profile's async engine, locked, in the run's own event loop."""
    profile = call.profile()
    _tell_of_memory(profile)

    def work() -> Any:
        from dbctl.work.loops import opened_by_loop

        opened = opened_by_loop(profile, call.missing)
        with opened as (connector, _), call.locked(profile):
            return call.on(connector.engine)

    return work


def in_turn(call: Call) -> Work:
    """Take the lock, and let the function connect by itself and see to signals."""
    profile = call.profile()

    def work() -> Any:
        from contextlib import ExitStack

        from dbctl.connections.connector import opened
        from dbctl.work.database import Turn

        with opened(profile) as connector, ExitStack() as held:
            # Only this may wait for a server: what follows sees to signals itself.
            lock = call.locked(profile)
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


def on_profile(call: Call) -> Work:
    """Hand over the profile, or none where the arguments have to do with none; the function connects by itself."""
    without = call.effects.goes_without
    if without and without(**call.arguments):
        if call.said.profile or call.said.url is not None:
            raise UsageError("a profile is named, and this has to do with none", "leave --profile or --url out")
        return lambda: call.on(None)
    profile = call.profile()
    return lambda: call.on(profile)


def on_migrations(call: Call) -> Work:
    """Open the profile's migrations, with the lock that they take when they need it."""
    profile = call.profile()
    _tell_of_memory(profile)

    def work() -> Any:
        from dbctl.migrations.access import Migrations, require_alembic

        require_alembic()
        terms = call.terms
        migrations = Migrations(
            profile, call.missing, terms.dry_run, terms.retries, call.supervisor, has_lock=not terms.no_lock
        )
        with migrations, migrations.backend.translating():
            result = call.on(migrations)
        if terms.dry_run:
            _log.info("dry run: all of it is rolled back, nothing is committed")
        return result

    return work


def on_place(call: Call) -> Work:
    """Hand over the place of a database that may not be there."""
    profile = call.profile()

    def work() -> Any:
        from dbctl.databases.places import Place

        return _telling_of_nothing_done(call, Place(profile, call.supervisor.pause, call.terms.dry_run, call.named))

    return work


def on_undertaking(call: Call) -> Work:
    """Hand over the database that is to be set up, and what finds a service's own functions for it."""
    profile = call.profile()

    def function(target: str) -> Work:
        from dbctl.cli.functions import calling

        return calling(target, replace(call, chosen=profile))

    def work() -> Any:
        from dbctl.setup import Undertaking

        return _telling_of_nothing_done(call, Undertaking(profile, call.supervisor, function, call.terms.dry_run))

    return work


def _telling_of_nothing_done(call: Call, opened: Any) -> Any:
    result = call.on(opened)
    if call.terms.dry_run:
        _log.info("dry run: it is shown what would be done, and nothing is")
    return result


def on_file(call: Call) -> Work:
    """Find the profile file, to change it."""
    from dbctl.profiles.writing import ProfileFile  # only those commands that change the file need it

    if call.said.says_which:
        raise UsageError(
            "--url and --profile choose where to connect, and this command changes the profile file alone",
            "name the profile as an argument",
        )
    file = ProfileFile.found(call.said.config, dry_run=call.terms.dry_run)
    return lambda: call.on(file)


def on_manual(call: Call) -> Work:
    """Hand over the pages, and the help of all commands."""
    from dbctl.cli.manual import manual

    return lambda: call.on(manual(call.said.config))
