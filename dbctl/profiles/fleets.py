"""Fleets: profiles that are rows, of a query on another profile or of what a program writes, and no tables of the file.

Completion reads the profile file with each press of a key, so what is here is light; `dbctl.profiles.rows` makes
profiles of rows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError
from dbctl.profiles.words import nearest
from dbctl.records import record

BETWEEN = "/"
"""What stands between a fleet's name and that of one of its profiles: `tenants/acme`."""

_NAME = re.compile(r"[\w][\w.-]*")
_NAMING = ("from", "template")
"""The keys that name a profile."""
_SOURCES = {"from", "query", "command"}
_KEYS: Mapping[str, tuple[type, str]] = {
    "from": (str, 'the profile that the query is run on, such as "main"'),
    "query": (str, 'a query, such as "SELECT name, url FROM tenants"'),
    "command": (list, 'a program and its arguments, such as ["./tenants", "--json"]'),
    "template": (str, "the profile that says what the rows do not"),
}


@record
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
    def of(cls, path: Path, name: str, said: Mapping[str, Any]) -> "Fleet":
        """Return the fleet that a table of the profile file is, of which `problems_of` has none."""
        command = tuple(said.get("command", ()))
        return cls(name, path, said.get("from", ""), said.get("query", ""), command, said.get("template", ""))


def problems_of(path: Path, name: str, table: object, profiles: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with a table of the profile file that is to be a fleet.

    Args:
        path: The file.
        name: The fleet's name.
        table: The table.
        profiles: All profiles that can be named.
    """
    origin = f"{path} [fleet.{name}]"
    if not isinstance(table, Mapping) or not _NAME.fullmatch(name):
        named = "a fleet's name has letters, digits and . _ - in it"
        yield f"{path}: fleet.{name}: allowed is a table, such as [fleet.tenants]; {named}"
        return
    found = list(_problems_of_keys(origin, table, profiles))
    yield from found
    if not found and _SOURCES & set(table) not in ({"from", "query"}, {"command"}):
        yield f"{origin}: it has to say where its rows come from, in one way; say from and query, or command"


def _problems_of_keys(origin: str, table: Mapping[Any, Any], profiles: Iterable[str]) -> Iterator[str]:
    for key, value in table.items():
        kind, allowed = _KEYS.get(key, (str, ""))
        if key not in _KEYS:
            yield f"{origin}: {key}: unknown key; {nearest(key, _KEYS)}"
        elif not isinstance(value, kind) or not value or not _are_words(value):
            yield f"{origin}: {key}: allowed is {allowed}"
        elif key in _NAMING and str(value) not in profiles:
            yield f'{origin}: {key} = "{value}": there is no such profile; {nearest(str(value), profiles)}'


def _are_words(value: object) -> bool:
    return not isinstance(value, list) or all(isinstance(word, str) and word for word in value)


def fleets_of(path: Path, tables: Mapping[str, Any], profiles: Mapping[str, object]) -> dict[str, Fleet]:
    """Return the fleets of a profile file, by their names.

    Args:
        path: The file.
        tables: Its table `fleet`.
        profiles: All profiles that can be named.

    Raises:
        ConfigError: One line for each thing that is wrong, or names a profile that is not there.
    """
    if problems := [each for name, table in tables.items() for each in problems_of(path, name, table, profiles)]:
        raise ConfigError("\n".join(problems))
    return {name: Fleet.of(path, name, table) for name, table in tables.items()}
