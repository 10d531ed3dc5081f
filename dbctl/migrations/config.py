"""alembic's configuration, with this profile's connection in it."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from dbctl.errors import ConfigError

if TYPE_CHECKING:
    from typing import TextIO

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from dbctl.migrations.location import Location

_URL = "sqlalchemy.url"
_CONNECTION = "connection"
_SCRIPTS = "script_location"


class ProfilesConfig(Config):
    """A configuration whose `sqlalchemy.url` is the profile's, and that an env.py may set as it likes."""

    def set_section_option(self, section: str, name: str, value: str) -> None:
        """Set an option; a URL may have a `%` in it that the ini's syntax does not know."""
        try:
            super().set_section_option(section, name, value)
        except ValueError:
            if name != _URL:
                raise
            super().set_section_option(section, name, value.replace("%", "%%"))


class Attributes(dict[str, Any]):
    """alembic's `config.attributes`, in which the connection is opened when it is asked for."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        super().__init__()
        self._connect = connect

    def __contains__(self, key: object) -> bool:
        return key == _CONNECTION or super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        if key == _CONNECTION and not super().__contains__(key):
            self[key] = self._connect()
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default."""
        try:
            return self[key]
        except KeyError:
            return default

    def pop(self, key: str, *default: Any) -> Any:
        """Take a value out; the connection stays."""
        return self[key] if key == _CONNECTION else super().pop(key, *default)


def config_at(
    location: Location,
    url: URL,
    connect: Callable[[], Connection],
    *,
    options: Namespace,
    output: TextIO | None = None,
) -> ProfilesConfig:
    """Return the configuration of a service's alembic.

    Args:
        location: Where it is.
        url: What `sqlalchemy.url` is to be.
        connect: Opens the connection that `attributes["connection"]` is.
        options: What alembic's command line would have been told, for an env.py that looks.
        output: What SQL is written to that is not run.
    """
    files: dict[str, Any] = {"file_": str(location.ini) if location.ini else None}
    if location.toml:  # older versions know no such file
        files["toml_file"] = str(location.toml)
    try:
        config = ProfilesConfig(**files, ini_section=options.name, output_buffer=output, cmd_opts=options)
    except TypeError as error:
        raise ConfigError(f"{location.toml}: [tool.alembic] needs alembic 1.16 or newer", "install it") from error
    vars(config)["attributes"] = Attributes(connect)
    if location.scripts:
        config.set_main_option(_SCRIPTS, str(location.scripts.resolve()).replace("%", "%%"))
    config.set_main_option(_URL, url.render_as_string(hide_password=False).replace("%", "%%"))
    _find_scripts(config, location.directory)
    return config


def command_options(name: str, words: Sequence[str]) -> Namespace:
    """Return what alembic's command line would have been told.

    Args:
        name: The command.
        words: What `-x` said, each `KEY=VALUE`.
    """
    return Namespace(x=list(words) or None, cmd=(getattr(command, name), [], []), name="alembic", config=None)


def scripts_of(config: Config, location: Location, app_dir: str | None) -> ScriptDirectory:
    """Return the directory of scripts, with what they import on the path: what alembic would put there, and `app_dir`.

    Raises:
        ConfigError: It is not there.
    """
    for place in (str(location.directory.resolve()), os.path.realpath(app_dir or ".")):
        if place not in sys.path:
            sys.path.insert(0, place)
    try:
        return ScriptDirectory.from_config(config)
    except CommandError as error:
        raise ConfigError(f"alembic: {' '.join(str(error).split())}") from error


def _find_scripts(config: Config, directory: Path) -> None:
    """Let a relative path be found from its file's directory, where the working directory has nothing of the name."""
    place = config.file_config.get(config.config_ini_section, _SCRIPTS, fallback=None, raw=True)
    if place and ":" not in place and "%(" not in place and not Path(place).exists() and (directory / place).exists():
        config.set_main_option(_SCRIPTS, str((directory / place).resolve()).replace("%", "%%"))
