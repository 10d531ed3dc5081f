"""Running a service's env.py as it is, on the profile's database and on no other."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.runtime.environment import EnvironmentContext
from alembic.util import CommandError
from sqlalchemy.engine import URL

from dbctl.backends.copies import PLACES
from dbctl.backends.lock_statements import TABLE as LOCKS
from dbctl.connections.error_origins import mark_errors
from dbctl.errors import ConfigError, DbctlError
from dbctl.migrations.config import ProfilesConfig, command_options, config_at, scripts_of
from dbctl.migrations.engines import profiles_engines
from dbctl.migrations.location import Location, locate
from dbctl.migrations.scripts import broken_history, hear_warnings, script_in
from dbctl.profiles.files import is_file
from dbctl.profiles.urls import without_secrets
from dbctl.runtime.foreign import guarded
from dbctl.runtime.foreign_errors import described, place_of, stand_in

if TYPE_CHECKING:
    from argparse import Namespace
    from io import StringIO

    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection, Dialect

    from dbctl.migrations.access import Migrations

Steps = Callable[[tuple[str, ...], "MigrationContext"], Any]
"""What alembic calls for the steps that it is to take from the revisions that it finds."""

Loggers = list[tuple[logging.Logger, dict[str, Any]]]
"""Loggers, and what they are like."""

_THREE_LINES = (
    'if (connection := context.config.attributes.get("connection")) is not None:',
    "    context.configure(connection=connection, target_metadata=target_metadata)",
    "    with context.begin_transaction(): context.run_migrations()",
)

_one_at_a_time = threading.Lock()
"""alembic keeps its context in a module."""


@dataclass
class Environment:
    """A service's alembic, and the running of its env.py.

    Args:
        migrations: Whose database.
        name: The command of alembic's that it is run for.
        x: What `-x` said, for an env.py that asks.
        output: What SQL is written to that is not run; None to run it.
        options: What alembic's command line was told, where it was.
        location: Where alembic is told what it is told; what the profile says unless given.
    """

    migrations: Migrations
    name: str = "current"
    x: Sequence[str] = ()
    output: StringIO | None = None
    options: Namespace | None = None
    location: Location | None = None
    config: ProfilesConfig = field(init=False)
    scripts: ScriptDirectory = field(init=False)
    _stack: ExitStack = field(init=False, default_factory=ExitStack)
    _own: Connection | None = field(init=False, default=None)
    _heard: Loggers = field(init=False, default_factory=list)
    _configured: bool = field(init=False, default=False)
    _ran: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        profile = self.migrations.profile
        location = self.location or locate(profile)
        options = self.options or command_options(self.name, self.x)
        self.config = config_at(location, self._url(), self.connection, options=options, output=self.output)
        self.scripts = scripts_of(self.config, location, profile.app_dir)

    @property
    def env(self) -> str:
        """The path of the env.py, from the working directory where that is shorter."""
        path = str(self.scripts.env_py_location)
        return min(path, os.path.relpath(path), key=len)

    def connection(self) -> Connection:
        """Return a connection of the profile's engine, which is open as long as the env.py runs."""
        if self._own is None:
            self._own = self._stack.enter_context(self.migrations.engine.connect())
        return self._own

    def run(self, steps: Steps, configured: Callable[[MigrationContext], None] | None = None, **terms: Any) -> None:
        """Run the env.py.

        Args:
            steps: Returns the steps that alembic is to take.
            configured: Called when the env.py has configured a connection, before it goes on; outside of a transaction,
                unless the env.py has begun one.
            terms: What alembic's own command would say, such as `dont_mutate`, `destination_rev`.

        Raises:
            ConfigError: The env.py leads to another database, configures nothing, or raises something.
        """
        offline = self.output is not None

        def noted(heads: tuple[str, ...], migration: MigrationContext) -> Any:
            self._ran = True
            return steps(heads, migration)

        context = EnvironmentContext(self.config, self.scripts, fn=noted, as_sql=offline, **terms)
        with self.running(), self.hooked(context, configured):
            self.scripts.run_env()
        where = "offline" if offline else "online"
        if not self._configured:
            raise ConfigError(f"{self.env}: it configures no connection", f"have it configure one where it is {where}")

    def refuse_idle(self) -> None:
        """Do nothing where the env.py has run the steps that it was run for.

        Raises:
            ConfigError: It has not.
        """
        if not self._ran:
            raise ConfigError(f"{self.env}: it runs no migrations", "have it call context.run_migrations()")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let an env.py do in the block as it likes, with the profile's engine where it asks for one.

        Raises:
            ConfigError: What it raises, or what alembic says, in one line.
        """
        if not is_file(Path(self.env)):
            raise ConfigError(f"alembic: there is no {self.env}")
        url, env = self._url().render_as_string(hide_password=False), os.path.abspath(self.env)
        self._heard = _loggers()
        with _one_at_a_time, self._stack, self._telling(), guarded(), profiles_engines(self.migrations, env, url):
            hear_warnings()
            yield

    def hooked(
        self, context: EnvironmentContext, configured: Callable[[MigrationContext], None] | None = None
    ) -> EnvironmentContext:
        """Return a context of alembic's that looks at each connection which an env.py configures it with."""
        configure = context.configure

        def checked(connection: Any = None, *args: Any, **kwargs: Any) -> None:
            self._configured = True
            _hear_dbctl(self._heard, alone=self.options is None)
            if self.output is None:
                kwargs = self._checked(connection, kwargs)
            configure(connection, *args, **kwargs)
            if self.output is not None:
                self._refuse_other(context.get_context().dialect)
            if configured:
                configured(context.get_context())

        vars(context)["configure"] = checked
        return context

    def _url(self) -> URL:
        """Return the profile's URL: where nothing is connected, without its password."""
        backend, profile = self.migrations.backend, self.migrations.profile
        if self.output is None:
            return backend.url()
        return URL.create(backend.sync_driver, profile.user, None, profile.host, profile.port, profile.database)

    def _checked(self, connection: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options that a connection is configured with, where it leads to the profile's database.

        Raises:
            ConfigError: It does not, or there is none.
        """
        backend = self.migrations.backend
        if connection is None:
            raise ConfigError(f"{self.env}: it configures no connection", "have it configure one where it is online")
        if not self._is_ours(connection):
            self._prove(connection)
            mark_errors(connection.engine, self.migrations.profile)
        elif backend.transactional_ddl and options.get("transactional_ddl") is None:
            options["transactional_ddl"] = True  # alembic does not expect it of every driver
        if self.migrations.dry_run:
            options["transaction_per_migration"] = False
        own = options.get("target_metadata")
        models = own if isinstance(own, Sequence) else [own] if own is not None else ()
        made_up = partial(backend.is_made_up, connection, models)
        options["include_name"] = _but_own(options.get("include_name"), made_up)
        return options

    def _refuse_other(self, dialect: Dialect) -> None:
        """Refuse to write SQL for another kind of database than the profile's.

        Raises:
            ConfigError: The env.py has it written so.
        """
        backend = self.migrations.backend
        if other := backend.foreign(dialect):
            raise ConfigError(
                f"{self.env} has SQL written for {other}, and {backend.profile.called} is {backend.title}",
                'have it configure config.get_main_option("sqlalchemy.url") where it is offline',
            )

    def _is_ours(self, connection: Connection) -> bool:
        return bool(connection.engine.dialect in self.migrations.dialects)

    def _prove(self, connection: Connection) -> None:
        own, begun = self.connection(), connection.in_transaction()
        try:
            if self.migrations.backend.leads_here(own, connection):
                return
        finally:
            own.rollback()
            if not begun:
                connection.rollback()
        theirs = without_secrets(connection.engine.url.render_as_string(hide_password=True))
        profile = self.migrations.profile
        raise ConfigError(
            f"{self.env} leads to {theirs}, and {profile.called} to {profile.shown_url}: nothing was run\n"
            + "\n".join(["let it take the connection that it is given, before it makes one:", *_THREE_LINES])
        )

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say in one line what an env.py, a revision or alembic raises."""
        try:
            yield
        except DbctlError:
            raise
        except CommandError as error:
            raise ConfigError(f"alembic: {' '.join(str(error).split())}") from error
        except (Exception, SystemExit) as error:
            if (known := self.migrations.backend.translate(error)) is not None:
                raise known from error
            if isinstance(error, UserWarning) and (broken := broken_history(self.scripts)):
                raise broken from error
            place = f" ({found})" if (found := place_of(error)) else ""
            if isinstance(error, OSError) and error.filename is not None and not place:
                raise ConfigError(f"{os.fsdecode(error.filename)}: {error.strerror}") from error  # alembic's own file
            file = script_in(self.scripts, error) or self.env
            raise ConfigError(f"{file}: {described(error)}{place}") from stand_in(error)


def _loggers() -> Loggers:
    """Return dbctl's loggers as they are."""
    named = logging.root.manager.loggerDict.items()
    return [
        (one, vars(one) | {"handlers": [*one.handlers]})
        for name, one in named
        if name.partition(".")[0] == "dbctl" and isinstance(one, logging.Logger)
    ]


def _hear_dbctl(loggers: Loggers, *, alone: bool) -> None:
    """Undo what a `fileConfig` of the env.py's does to dbctl's loggers.

    Args:
        loggers: Those, and what they are to be like.
        alone: Whether dbctl says itself what alembic would say.
    """
    for one, values in loggers:
        vars(one).update(values)
    if alone:
        logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # what each logger remembers of its level


def _but_own(include_name: Callable[..., bool] | None, made_up: Callable[..., bool]) -> Callable[..., bool]:
    """Return what tells autogenerate to look at all that an env.py says, but what nobody has declared.

    Args:
        include_name: What the env.py says.
        made_up: Tells of a column whether the server has made it by itself.
    """

    def is_looked_at(name: str | None, kind: str, parents: Any) -> bool:
        own = (kind == "table" and name in {LOCKS, PLACES}) or (kind == "column" and made_up(name, parents))
        return not own and (include_name is None or include_name(name, kind, parents))

    return is_looked_at
