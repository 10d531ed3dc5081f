"""What an env.py gets where it asks SQLAlchemy for the engine of its configuration: this profile's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dbctl.errors import ConfigError

if TYPE_CHECKING:
    from dbctl.migrations.access import Migrations

_MAKERS = ("engine_from_config", "async_engine_from_config", "create_engine", "create_async_engine")


@contextmanager
def profiles_engines(migrations: Migrations, env: str, url: str) -> Iterator[None]:
    """Have an env.py be given the profile's engine in the block, where it asks for that of its configuration.

    That is what `engine_from_config` and `async_engine_from_config` return to it, and `create_engine` too for the very
    URL that its configuration was given. Whoever else calls them gets what SQLAlchemy makes.

    Args:
        migrations: Whose engine.
        env: The path of the env.py.
        url: The URL that the configuration has.

    Raises:
        ConfigError: The env.py asks for the engines of several databases.
    """
    given: dict[str, str] = {}

    def own_or(make: Callable[..., Any]) -> Callable[..., Any]:
        asynchronous, configured = "async" in make.__name__, "from_config" in make.__name__

        def make_engine(*args: Any, **kwargs: Any) -> Any:
            if not active or os.path.realpath(sys._getframe(1).f_code.co_filename) != os.path.realpath(env):
                return make(*args, **kwargs)
            said = args[0] if args else kwargs.get("configuration" if configured else "url")
            if configured:
                _refuse_second(given, said, kwargs.get("prefix", args[1] if len(args) > 1 else "sqlalchemy."), env)
            elif _text(said) != url:
                return make(*args, **kwargs)
            return migrations.async_engine() if asynchronous else migrations.engine

        return make_engine

    active = True
    homes = list(_homes(env))
    before = [(home, name, vars(home)[name]) for home in homes for name in _MAKERS if name in vars(home)]
    for home, name, make in before:
        setattr(home, name, own_or(make))
    try:
        yield
    finally:
        active = False
        for home, name, make in before:
            setattr(home, name, make)


def _homes(env: str) -> Iterator[ModuleType]:
    """Yield the modules that an env.py may have what makes engines from; asyncio's only where it speaks of that."""
    yield from map(import_module, ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.engine.create"))
    if b"asyncio" in Path(env).read_bytes():
        yield from map(import_module, ("sqlalchemy.ext.asyncio", "sqlalchemy.ext.asyncio.engine"))


def _refuse_second(given: dict[str, str], configuration: Any, prefix: str, env: str) -> None:
    """Refuse an env.py that migrates several databases: all would be given the profile's one."""
    found = _text(dict(configuration or {}).get(f"{prefix}url"))
    if given.setdefault("url", found) != found:
        raise ConfigError(
            f"{env}: it asks for the engines of several databases, and a profile is one",
            "keep one env.py a database, and name each with alembic in its profile",
        )


def _text(url: Any) -> str:
    """Return a URL as it is written, the password in it."""
    render = getattr(url, "render_as_string", None)
    return str(render(hide_password=False) if render else url)
