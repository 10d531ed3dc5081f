"""What a profile is: the frozen record from which engines are built.

A field's description says what is allowed there; the error for a bad value quotes it.
"""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr

from dbctl.profiles.places import places
from dbctl.profiles.urls import show_url

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
Environment = Literal["production", "testing", "development"]
Target = Literal["any", "primary", "standby"]
URLS = ("--url", "DBCTL_URL", "the URL")
"""The names of profiles that are a URL alone: what it was given by."""

_DISABLE_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"

Isolation = Literal["read uncommitted", "read committed", "repeatable read", "serializable"]


def checked_isolation(level: Isolation | None) -> Isolation | None:
    """Return an isolation level that a function was given.

    Raises:
        ValueError: There is no such level.
    """
    if level is not None and level not in get_args(Isolation):
        raise ValueError(f"isolation is {', '.join(get_args(Isolation))} or None, not {level!r}")
    return level


def called(name: str) -> str:
    """Return what messages call a profile of this name."""
    return name if name in URLS else f"profile {name}"


def _refuse_bool(value: object) -> object:
    """Refuse true and false for a number: Python, and so pydantic, would take them for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number, not true or false")
    return value


def _as_sql_says_it(value: object) -> object:
    """Take `READ-COMMITTED` and `Read Committed` for `read committed`."""
    return value.replace("-", " ").lower() if isinstance(value, str) else value


def _as_urls_say_it(value: object) -> object:
    """Take TOML's numbers and truths in a table of options for the text that a URL would have."""
    if not isinstance(value, dict):
        return value
    texts = {name: str(said).lower() for name, said in value.items() if isinstance(said, bool | int | float)}
    return {**value, **texts}


Count = Annotated[int, BeforeValidator(_refuse_bool)]
Seconds = Annotated[float, BeforeValidator(_refuse_bool), Field(allow_inf_nan=False)]


@contextmanager
def _without_plugins() -> Iterator[None]:
    """Have no plugin of pydantic's take part in what is built in the block: it would be shown each password.

    Looking for one would take as long as reading a profile does, and loading it many times that.
    https://docs.pydantic.dev/latest/concepts/plugins/
    """
    said = os.environ.get(_DISABLE_PLUGINS)
    os.environ[_DISABLE_PLUGINS] = "__all__"
    try:
        yield
    finally:
        if said is None:
            del os.environ[_DISABLE_PLUGINS]
        else:
            os.environ[_DISABLE_PLUGINS] = said


class _Table(BaseModel):
    # Deferred until a profile is first validated.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Pool(_Table):
    """The connection pool's settings, in the terms of SQLAlchemy's `create_engine`."""

    size: Count = Field(default=5, ge=0, description="a whole number of connections, 0 or more (0: no limit)")
    max_overflow: Count = Field(
        default=10, ge=-1, description="a whole number of connections, -1 or more (-1: no limit)"
    )
    pre_ping: bool = Field(default=True, description="true or false")
    recycle: Count = Field(default=-1, ge=-1, description="a whole number of seconds (-1: never)")
    timeout: Seconds = Field(default=30.0, ge=0, description="a number of seconds, 0 or more")

    @property
    def capacity(self) -> float:
        """How many connections there may be at a time; infinity where there is no limit."""
        return math.inf if self.size == 0 or self.max_overflow < 0 else self.size + self.max_overflow


class Ssl(_Table):
    """How the connection is encrypted; the modes mean what libpq's `sslmode` means, on every driver."""

    mode: SslMode = Field(default="prefer", description="disable, prefer, require, verify-ca or verify-full")
    ca: str | None = Field(default=None, description="the path of a PEM file with the certificate authority")
    cert: str | None = Field(default=None, description="the path of a PEM file with the client's certificate")
    key: str | None = Field(default=None, description="the path of a PEM file with the client's private key")


class Tunnel(_Table):
    """The program that leads to a database's host that can't be reached from here; false where there is none."""

    ssh: str | None = Field(default=None, min_length=1, description='where ssh logs in, such as "user@bastion"')
    command: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description='a program and its arguments, with "{port}" where the port that it is to open stands',
    )

    def __bool__(self) -> bool:
        return self.ssh is not None or self.command is not None


class Profile(_Table):
    """One connection profile, complete and checked.

    `origins` tells for each value where it came from, by its dotted key (`pool.size`).
    """

    name: str = Field(description="a name")
    environment: Environment | None = Field(default=None, description="production, testing or development")
    tags: tuple[str, ...] = Field(default=(), description='a list of words, such as ["tenant"]')
    driver: str = Field(description="a driver's name, such as postgresql, mysql, mariadb or sqlite")
    host: str | None = Field(default=None, description="a host's name or address")
    port: Count | None = Field(default=None, ge=1, le=65535, description="a port's number, 1 to 65535")
    hosts: tuple[str, ...] = Field(default=(), description='a list of hosts, such as ["db1", "db2:5433"]')
    target: Target = Field(default="any", description="any, primary or standby")
    max_lag: Seconds | None = Field(default=None, ge=0, description="a number of seconds, 0 or more")
    user: str | None = Field(default=None, description="a user's name")
    database: str | None = Field(default=None, description="a database's name, or for SQLite a file's path")
    query: Annotated[Mapping[str, str | list[str]], BeforeValidator(_as_urls_say_it)] = Field(
        default={}, repr=False, description="options for the driver, as in a URL's query"
    )
    password: SecretStr | None = Field(default=None, description="a string")
    password_env: str | None = Field(default=None, description="the name of an environment variable")
    password_file: str | None = Field(default=None, description="the path of a file whose first line is the password")
    password_command: tuple[str, ...] | None = Field(
        default=None, min_length=1, description='a program and its arguments, such as ["pass", "show", "db"]'
    )
    password_keyring: str | None = Field(default=None, description="the service's name in the system's keyring")
    echo: bool = Field(default=False, description="true or false")
    connect_timeout: Seconds = Field(default=10.0, gt=0, description="a number of seconds above 0")
    statement_timeout: Seconds | None = Field(default=None, gt=0, description="a number of seconds above 0")
    lock_timeout: Seconds | None = Field(default=None, gt=0, description="a number of seconds above 0")
    isolation: Annotated[Isolation | None, BeforeValidator(_as_sql_says_it)] = Field(
        default=None, description="read uncommitted, read committed, repeatable read or serializable"
    )
    lock: str | None = Field(default=None, min_length=1, description="the name of a lock")
    lock_wait: Seconds = Field(default=0.0, ge=0, description="a number of seconds, 0 or more")
    application_name: str = Field(default="dbctl", description="the name that the server lists this connection under")
    workers: Count = Field(default=1, ge=1, description="how many service processes use this profile, 1 or more")
    protected: bool = Field(default=False, description="true or false")
    models: tuple[str, ...] = Field(default=(), description='a list of module names, such as ["app.models"]')
    exclude: tuple[str, ...] = Field(
        default=(), description='a list of module names or patterns, such as ["app.legacy"]'
    )
    app_dir: str | None = Field(default=None, description="the path of the directory that models are imported from")
    alembic: str | None = Field(
        default=None, description="the path of an alembic.ini, of a pyproject.toml, or of the directory with the env.py"
    )
    seed: str | None = Field(
        default=None,
        pattern=r"^[^\W\d][\w.]*:[^\W\d][\w.]*$",
        description='a module and a function in it, such as "app.seed:main"',
    )
    mask: Mapping[str, Literal["hash", "null", "fake", "keep"]] = Field(
        default={}, description='columns, as "hero.name", and how copy masks each: hash, null, fake or keep'
    )
    pool: Pool = Field(default_factory=Pool, description="a table")
    ssl: Ssl = Field(default_factory=Ssl, description="a table")
    tunnel: Tunnel = Field(default_factory=Tunnel, description="a table")

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.driver, self.host, self.database))

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each value came from, by dotted key; a key that is missing here has its built-in value."""
        return MappingProxyType(dict(self._origins))

    @property
    def in_memory(self) -> bool:
        """Whether no server and no file stand behind the profile."""
        if self.host is not None or self.hosts or {"host", "hostaddr", "unix_socket"} & set(self.query):
            return False
        named = self.database in {None, "", ":memory:"} or str(self.database).startswith("file::memory:")
        return named or self.query.get("mode") == "memory"

    @property
    def called(self) -> str:
        """What messages call it: `profile pg`, or what gave the URL where there is no profile, such as `--url`."""
        return called(self.name)

    @property
    def place(self) -> str:
        """Where it leads, in short: `app@db.example.com:5432/shop`, or a file's path."""
        if self.in_memory:
            return "a database in memory"
        is_socket = "unix_socket" in self.query  # which goes before the host
        if is_socket or (self.host is None and not self.hosts):
            return self.shown_url if self.query or self.database is None else self.database
        address = show_url("", self.user, False, *self._shown_place, self.database, {})
        return address.removeprefix("://")

    @property
    def shown_url(self) -> str:
        """The profile's place as a URL in which asterisks stand for every secret."""
        return show_url(
            self.driver, self.user, self.password is not None, *self._shown_place, self.database, self.query
        )

    @property
    def _shown_place(self) -> tuple[str | None, int | None]:
        """The host and the port; of several hosts each has its own."""
        return (",".join(str(place) for place in places(self)), None) if self.hosts else (self.host, self.port)

    @classmethod
    def build(cls) -> None:
        """Build what validates profiles, once."""
        if not cls.__pydantic_complete__:
            with _without_plugins():
                for table in (Pool, Ssl, Tunnel, cls):
                    table.model_rebuild()

    @classmethod
    def from_values(cls, values: Mapping[str, Any], origins: Mapping[str, str]) -> "Profile":
        """Validate nested values into a profile that knows where they came from.

        Raises:
            pydantic.ValidationError: A value is not allowed; `dbctl.profiles.layers` turns it into a ConfigError.
        """
        cls.build()
        profile = cls.model_validate(values)
        profile._origins = dict(origins)
        return profile
