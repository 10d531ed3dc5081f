"""What a profile leaves to be said elsewhere: by libpq's service, by MySQL's option file, by libpq's variables.

The drivers would read these each in its own way, or not at all; so they are read here, for both drivers alike, and what
they say is a part of the profile and seen in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbctl.errors import ConfigError
from dbctl.profiles.families import VARIABLES, family_of
from dbctl.profiles.files import exposed
from dbctl.profiles.query import SYSTEM
from dbctl.profiles.secrets import SOURCES

if TYPE_CHECKING:
    from dbctl.profiles.importing import Found

_ESCAPED = re.compile(r"\$(\$\$?\{\w+\})")
_WITH_DEFAULT = re.compile(r"(?<!\$)\$\{(\w+)(:?[-=?+])")
_PATHS = ("ssl.ca", "ssl.cert", "ssl.key", "password_file", "app_dir", "alembic")
_OPTION_PATHS = ("passfile", "servicefile", "sslcrl", "sslcrldir", "read_default_file", "unix_socket")
_PLACE = ("host", "port", "query.host", "query.port", "query.unix_socket")


def refuse_defaults(value: object, where: str) -> None:
    """Refuse what a shell and Docker Compose fill in beside a variable: it would stand in the value as it was typed.

    Args:
        value: A value of the profile file, or several.
        where: The file, the table and the key.

    Raises:
        ConfigError: It has such, as in `${NAME:-default}`.
    """
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and (found := _WITH_DEFAULT.search(text)):
            name, sign = found.groups()
            raise ConfigError(f"{where}: ${{{name}{sign}…}}: only ${{{name}}} is filled in", "set it, as in env_file")


def placed(values: Mapping[str, Any], directory: Path, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a profile's values with what their query refers to in them, and their paths where they start.

    Args:
        values: The values by dotted key, with the driver's options under `query`; they go before what is referred to.
        directory: Where a relative path starts.
        environ: The environment; `os.environ` unless given.

    Raises:
        ConfigError: What is referred to is not there, or others can read a password in it.
    """
    found = dict(values)
    query = found.get("query")
    if isinstance(query, Mapping):
        paths = {
            key: _path(directory, query[key]) for key in _OPTION_PATHS if isinstance(query.get(key), str) and query[key]
        }
        found = _followed({**found, "query": {**query, **paths}}, os.environ if environ is None else environ)
    if found.get("ssl.ca") == SYSTEM:
        found["ssl.ca"] = None
    paths = {key: _path(directory, found[key]) for key in _PATHS if isinstance(found.get(key), str)}
    return {**found, **paths}


def _path(directory: Path, path: str) -> str:
    return str(directory / os.path.expanduser(path))


def _followed(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    read = _READERS.get(family_of(values.get("driver", "")))
    rest = dict(values["query"])
    found = read(rest, environ) if read else None
    return values if found is None else _beneath({**values, "query": rest}, found)


def completed(merged: dict[str, Any], origins: dict[str, str], environ: Mapping[str, str]) -> None:
    """Add to a profile's values, and to their origins, what only the environment says, as libpq would.

    https://www.postgresql.org/docs/current/libpq-envars.html

    Raises:
        ConfigError: There is no such service as PGSERVICE names.
    """
    variables = VARIABLES.get(family_of(merged.get("driver", "")), {})
    if not variables or not isinstance(merged.get("query", {}), Mapping):
        return
    query = dict(merged.get("query", {}))
    if service := environ.get("PGSERVICE"):
        whole = _followed({**merged, "query": {**query, "service": service}}, environ)
        for key in whole.keys() - merged.keys():
            merged[key], origins[key] = whole[key], "PGSERVICE"
        query = dict(whole.get("query", {}))
    for variable, key in variables.items():
        option, value = key.removeprefix("query."), environ.get(variable)
        is_placed = key == "host" and ("hosts" in merged or "hostaddr" in query)
        if not value or merged.get(key) or option in query or is_placed:
            continue
        if key == option and not (key == "port" and "," in value):
            merged[key], origins[key] = value, variable
        else:
            query[option] = value
            origins.setdefault("query", variable)
    if query:
        merged["query"] = query


def _service(query: dict[str, Any], environ: Mapping[str, str]) -> Found | None:
    name, path = query.pop("service", None), query.pop("servicefile", None)
    if name is None:
        return None
    from dbctl.profiles.option_files import from_services, service_file

    place = Path(path) if path else service_file(environ)
    return _private(place, from_services(place, str(name))[0])


def _client_group(query: dict[str, Any], environ: Mapping[str, str]) -> Found | None:
    path, group = query.pop("read_default_file", None), query.pop("read_default_group", None)
    if path is None and group is None:
        return None
    from dbctl.profiles.option_files import from_group

    place = Path(path or "/etc/my.cnf")
    return _private(place, from_group(place, str(group or "client")))


_READERS: Mapping[str, Callable[[dict[str, Any], Mapping[str, str]], Found | None]] = {
    "postgresql": _service,
    "mysql": _client_group,
}


def _private(path: Path, found: Found) -> Found:
    if found.password is not None and (problem := exposed(path)):
        raise ConfigError(f"there is a password in {path}, and {problem}")
    return found


def _beneath(values: dict[str, Any], found: Found) -> dict[str, Any]:
    """Lay what is said beneath the values: another host takes the place of all that tells one."""
    said: dict[str, Any] = {key: _plain(value) for key, value in found.values.items() if key != "driver"}
    if {"host", "hosts"} & set(values) or {"host", "hostaddr", "unix_socket"} & set(values["query"]):
        said = {key: value for key, value in said.items() if key not in _PLACE or key == "port"}
    options = {key.removeprefix("query."): said.pop(key) for key in [*said] if key.startswith("query.")}
    if found.password is not None and not set(SOURCES) & set(values):
        said["password"] = found.password
    return {**said, **values, "query": {**options, **values["query"]}}


def _plain(value: Any) -> Any:
    """Return a value as it was in the file, where it was not written for a profile file: `${X}` stands for itself."""
    return _ESCAPED.sub(r"\1", value) if isinstance(value, str) else value
