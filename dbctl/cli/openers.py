"""What a command's first parameter says that it needs: one table of type → how that is opened.

What is asked of a person, and what can be refused without connecting, comes first, in the main thread; the work that
comes of it is supervised.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_origin

from dbctl.cli.options import Globals, Terms
from dbctl.cli.variables import says_yes, variable_of
from dbctl.errors import ConfigError, UsageError
from dbctl.work.effects import Effects

if TYPE_CHECKING:
    from dbctl.backends.base import Missing
    from dbctl.profiles import Profile, Profiles
    from dbctl.work.database import Database
    from dbctl.work.supervision import Supervisor

Work = Callable[[], Any]

_log = logging.getLogger(__name__)

_TESTING = "testing preset"
"""The origin of what that preset says."""

_BOUNDS = ("timeout", "lock_timeout", "deadline", "isolation", "lock", "lock_wait", "skip_locked")


@dataclass(frozen=True)
class Call:
    """One call of a command function.

    Args:
        function: The function.
        arguments: Its arguments but the first.
        said: The global options.
        terms: The terms that were said.
        effects: What it does with these arguments.
        supervisor: Who runs it.
        deliver: Shows a result, or holds it back until all is committed.
        repeatable: Tells whether nothing of it was shown yet.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    said: Globals
    terms: Terms
    effects: Effects
    supervisor: Supervisor
    deliver: Callable[[Any], Any]
    repeatable: Callable[[], bool]

    def on(self, needed: Any) -> Any:
        """Call the function on what it needs."""
        return self.deliver(self.function(needed, **self.arguments))

    def profiles(self) -> Profiles:
        """Return the profiles that can be named, with what was said of the one that is chosen."""
        from dbctl.cli.prompts import ask_password
        from dbctl.profiles import Profiles
        from dbctl.profiles.layers import Layer

        named = self.said.profile or []
        if self.said.url is not None and named:
            raise UsageError("--url and --profile are both given", "give one of them")
        if len(named) > 1 and not self.effects.several:
            raise UsageError(f"--profile is given twice: {', '.join(named)}", "this command takes one at a time")
        options = [Layer({key: value}, option) for option, key, value in self.terms.over_the_profile()]
        if self.said.echo:
            options.append(Layer({"echo": True}, variable_of("echo") if says_yes("echo") else "--echo"))
        ask = ask_password if self.said.ask_password else None
        name = named[-1] if named else None
        return Profiles.load(self.said.config, name=name, url=self.said.url, options=options, ask=ask)

    def profile(self) -> Profile:
        """Return the profile that is chosen.

        Where it is to be written it has been said which one that is, and one that is protected has been confirmed.
        """
        from dbctl.cli.prompts import confirm

        profiles = self.profiles()
        profile = profiles.select()
        if self.terms.skip_locked and profile.lock is None:
            raise UsageError("--skip-locked is said, and there is no lock", "name one with --lock")
        if self.effects.writes:
            origin = profiles.choice().origin
            _log.info("%s: %s%s", profile.called, profile.place, f" ({origin})" if origin else "")
            if profile.protected and not self.terms.dry_run:
                confirm(profile, self.terms.confirm, lambda: self._loss(profile))
        return profile

    def _loss(self, profile: Profile) -> str:
        """Return what the command takes away, as a sentence without its end; nothing where it does not say."""
        loses = self.effects.loses
        if loses is None:
            return ""
        from dbctl.connections.connector import opened
        from dbctl.work.retries import run_unit

        def look() -> str:
            with opened(profile) as connector:
                return run_unit(
                    connector, lambda unit: loses(unit, **self.arguments), retries=0, writes=False, strict=True
                )

        name = self.function.__name__.rstrip("_").replace("_", "-")
        where = f" on {profile.host}" if profile.host else ""
        return f"{name} {self.supervisor.run(look)} in {profile.database or 'memory'}{where}"

    @property
    def missing(self) -> Missing:
        """What connecting does where the database is a file that is not there."""
        from dbctl.backends.base import Missing

        if not self.effects.creates:
            return Missing.REFUSE
        return Missing.CREATE if self.effects.writes and not self.terms.dry_run else Missing.PRETEND


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


def opener_for(needed: Any, name: str) -> Opener:
    """Return how what a command needs is opened.

    Args:
        needed: The annotation of its first parameter.
        name: The command's name, for the message.

    Raises:
        ConfigError: Nothing of the kind can be opened.
    """
    kind = get_origin(needed) or needed
    opener = OPENERS.get(f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}")
    if opener is None:
        allowed = ", ".join(dict.fromkeys(key.rpartition(".")[2] for key in OPENERS))
        shown = "nothing" if needed is None else getattr(kind, "__qualname__", kind)
        raise ConfigError(
            f"command {name}: its first parameter is annotated with {shown}",
            f"it says what the command needs, one of {allowed}",
        )
    return opener


def _in_unit_of_work(choose: Callable[[Database], Any]) -> Opener:
    def prepare(call: Call) -> Work:
        profile = call.profile()
        _tell_of_memory(profile)

        def work() -> Any:
            from dbctl.connections.connector import opened
            from dbctl.work import runs

            terms = runs.Terms(
                writes=call.effects.writes,
                dry_run=call.terms.dry_run,
                retries=call.terms.retries if call.effects.repeatable or not call.effects.writes else 0,
            )
            with opened(profile, call.missing) as connector:
                result = runs.perform(
                    connector, lambda database: call.on(choose(database)), terms, call.supervisor, call.repeatable
                )
            if terms.dry_run:
                _log.info("dry run: all of it is rolled back, nothing is committed")
            return result

        return work

    return Opener(prepare, (*_BOUNDS, "retries"), ("dry_run", "confirm"))


def _on_connector(choose: Callable[[Any], Any]) -> Opener:
    def prepare(call: Call) -> Work:
        profile = call.profile()
        _tell_of_memory(profile)

        def work() -> Any:
            from dbctl.connections.connector import opened
            from dbctl.work import runs

            with opened(profile, call.missing) as connector, runs.locked(connector, runs.Terms(), call.supervisor):
                return call.on(choose(connector))

        return work

    return Opener(prepare, _BOUNDS, ("confirm",))


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
        raise UsageError("--url and --profile choose where to connect, and this does not", "say it as an argument")
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
    "dbctl.connections.connector.Connector": _on_connector(lambda connector: connector),
    "sqlalchemy.engine.base.Engine": _on_connector(lambda connector: connector.engine),
    "dbctl.profiles.model.Profile": Opener(_on_profile),
    "dbctl.profiles.discovery.Profiles": Opener(_on_profiles),
    "dbctl.profiles.writing.ProfileFile": Opener(_on_file, to_write=("dry_run",)),
    "dbctl.migrations.access.Migrations": Opener(
        _on_migrations, ("timeout", "deadline"), ("lock_timeout", "lock_wait", "retries", "dry_run", "confirm")
    ),
    "dbctl.manual.Manual": Opener(_on_manual, profiles=False, hushed=False),
}
