"""Fleets: profiles that are rows, of a query on another profile or of what a program writes, and no tables of the file.

Completion reads the profile file with each press of a key, so what is here is light; `dbctl.profiles.rows` makes
profiles of rows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError
from dbctl.profiles.words import nearest

BETWEEN = "/"
"""What stands between a fleet's name and that of one of its profiles: `tenants/acme`."""

_NAME = re.compile(r"[\w][\w.-]*")
_KEYS: Mapping[str, tuple[type, str]] = {
    "from": (str, 'the profile that the query is run on, such as "main"'),
    "query": (str, 'a query, such as "SELECT name, url FROM tenants"'),
    "command": (list, 'a program and its arguments, such as ["./tenants", "--json"]'),
    "template": (str, "the profile that says what the rows do not"),
}


@dataclass(frozen=True)
class Fleet:
    """Where the rows come from that are profiles.

    Args:
        name: Its name, with which the names of its profiles begin.
        path: The profile file.
        source: The profile that the query is run on; "" where a program writes the rows.
        query: The query.
        command: The program and its arguments.
        template: The profile that says what the rows do not; "" where none does.
    """

    name: str
    path: Path
    source: str = ""
    query: str = ""
    command: tuple[str, ...] = ()
    template: str = ""

    @property
    def origin(self) -> str:
        """The file and the table, for messages: `profiles.toml [fleet.tenants]`."""
        return f"{self.path} [fleet.{self.name}]"

    @property
    def pattern(self) -> str:
        """What names all of its profiles."""
        return f"{self.name}{BETWEEN}*"

    @property
    def asked(self) -> str:
        """What is asked for the rows, in short."""
        return f"a query on {self.source}" if self.source else f"what {self.command[0]} writes"

    @classmethod
    def of(cls, path: Path, name: str, table: object) -> "Fleet":
        """Return the fleet that a table of the profile file is.

        Raises:
            ConfigError: It is none.
        """
        origin = f"{path} [fleet.{name}]"
        if not isinstance(table, Mapping) or not _NAME.fullmatch(name):
            named = "a fleet's name has letters, digits and . _ - in it"
            raise ConfigError(f"{path}: fleet.{name}: allowed is a table, such as [fleet.tenants]", named)
        for key, value in table.items():
            if key not in _KEYS:
                raise ConfigError(f"{origin}: {key}: unknown key; {nearest(key, _KEYS)}")
            kind, allowed = _KEYS[key]
            if not isinstance(value, kind) or not value or not _are_words(value):
                raise ConfigError(f"{origin}: {key}: allowed is {allowed}")
        said: Mapping[str, Any] = table
        if {"from", "query", "command"} & set(said) not in ({"from", "query"}, {"command"}):
            raise ConfigError(
                f"{origin}: it has to say where its rows come from, in one way", "say from and query, or command"
            )
        command = tuple(said.get("command", ()))
        return cls(name, path, said.get("from", ""), said.get("query", ""), command, said.get("template", ""))


def _are_words(value: object) -> bool:
    return not isinstance(value, list) or all(isinstance(word, str) and word for word in value)


def fleets_of(path: Path, tables: Mapping[str, object], profiles: Mapping[str, object]) -> dict[str, Fleet]:
    """Return the fleets of a profile file, by their names.

    Args:
        path: The file.
        tables: Its table `fleet`.
        profiles: All profiles that can be named.

    Raises:
        ConfigError: One is wrong, or names a profile that is not there.
    """
    fleets = {name: Fleet.of(path, name, table) for name, table in tables.items()}
    for fleet in fleets.values():
        for key, named in (("from", fleet.source), ("template", fleet.template)):
            if named and named not in profiles:
                known = nearest(named, profiles)
                raise ConfigError(f'{fleet.origin}: {key} = "{named}": there is no such profile; {known}')
    return fleets
