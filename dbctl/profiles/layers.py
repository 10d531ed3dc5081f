"""Profiles are laid in layers: a preset, the file's defaults, the profile's own table, the environment, the options.

A layer is a flat mapping of dotted keys (`pool.size`) with a note of where it came from. Layers are merged from the
lowest to the highest and validated once, so that every value, and every error, knows its origin.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from dbctl.errors import ConfigError
from dbctl.profiles.families import family_of
from dbctl.profiles.files import exposed, is_file
from dbctl.profiles.model import Pool, Profile, Ssl, Tunnel, called
from dbctl.profiles.places import place_problems
from dbctl.profiles.query import with_keys_for_options
from dbctl.profiles.references import completed, placed, refuse_defaults
from dbctl.profiles.secrets import SOURCES
from dbctl.profiles.tls import tls_problems
from dbctl.profiles.tunnels import TUNNELS, tunnel_problems
from dbctl.profiles.urls import is_secret, split_url
from dbctl.profiles.words import nearest
from dbctl.records import record

_TABLES: Mapping[str, type[BaseModel]] = {"pool": Pool, "ssl": Ssl, "tunnel": Tunnel}
_LOCATION = ("driver", "host", "hosts", "port", "user", "database", "query", "password")
_VARIABLE = re.compile(r"\$(\$?)\{(\w+)\}")
_FILE_KEYS = [key for key in ("url", *Profile.model_fields) if key not in {"name", "password", "query"}]


@record
class Layer:
    """Some of a profile's values, by dotted key, and where they came from.

    `directory` is where the path of a SQLite database among them starts. `is_in_parts` says that it leaves what it does
    not say of the place to lower layers that say no driver; a URL is a place as a whole, and so is SQLite's file.
    """

    values: Mapping[str, Any]
    origin: str
    directory: Path = Path()
    is_in_parts: bool = False


def layer_from_url(url: str, origin: str, environ: Mapping[str, str] | None = None) -> Layer:
    """Make a layer of a database URL given whole, as an option or a variable.

    Args:
        url: The URL.
        origin: The option or the variable.
        environ: The environment, in which libpq's file of services is named; `os.environ` unless given.

    Raises:
        ConfigError: It is none, or the option file that it names is not there.
    """
    try:
        return Layer(placed(split_url(url, implied=True), Path(), environ), origin)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", error.hint) from None


def layer_from_table(
    table: Mapping[str, Any], origin: str, directory: Path, environ: Mapping[str, str] | None
) -> Layer:
    """Make a layer of a table of the profile file.

    Args:
        table: The table as TOML gives it.
        origin: The file and the table, for messages: `profiles.toml [profiles.pg]`.
        directory: The file's directory, from which relative paths start: of keys, passwords, SQLite's databases.
        environ: Where `${VAR}` is looked up; None where it stands for itself.

    Raises:
        ConfigError: A variable is missing, a table is none, the URL is none or contradicts another key.
    """
    values: dict[str, Any] = {}
    for key, value in _flatten(table, origin):
        if environ is not None:
            refuse_defaults(value, f"{origin}: {key}")

        def expand(text: str, key: str = key) -> str:
            return text if environ is None else _expand(text, f"{origin}: {key}", environ)

        if key == "url" and isinstance(value, str):
            try:
                whole = environ is not None and value.startswith("${")
                implied = "ssl.mode" not in dict(_flatten(table, origin))
                parts = split_url(expand(value) if whole else value, str if whole else expand, implied=implied)
            except ConfigError as error:
                raise _at(origin, key, error) from None
            _refuse_contradictions(parts, table, origin)
            values |= parts
        elif key == "url":
            raise ConfigError(f"{origin}: url: allowed is a string, driver://user:password@host:port/database")
        elif key == "name":
            raise ConfigError(f"{origin}: name: unknown key; the table's name is the profile's")
        elif key == "password":
            message = f"{origin}: password: unknown key, so that it does not lie about in plain text"
            raise ConfigError(message, "name its source with password_env or password_file, or write it in the url")
        else:
            values[key] = _expand_all(value, expand)
    _refuse_two_sources(values, origin)
    try:
        is_in_parts = "url" not in table and family_of(str(values.get("driver"))) != "sqlite"
        return Layer(placed(with_keys_for_options(values), directory, environ), origin, directory, is_in_parts)
    except ConfigError as error:
        raise _at(origin, "query", error) from None


def build(name: str, layers: Iterable[Layer], environ: Mapping[str, str] | None = None) -> Profile:
    """Merge the layers, the lowest first, and validate what comes of it.

    Args:
        name: The profile's name.
        layers: The layers.
        environ: Where libpq's own variables are looked up for what no layer says; none unless given.

    Raises:
        ConfigError: One line for each value that is not allowed.
    """
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    directory, with_a_driver = Path(), set[str]()
    for layer in layers:
        for key in _replaced_by(layer, with_a_driver):
            merged.pop(key, None)
            origins.pop(key, None)
        merged |= layer.values
        origins |= dict.fromkeys(layer.values, layer.origin)
        with_a_driver = (
            with_a_driver | set(layer.values) if "driver" in layer.values else with_a_driver - set(layer.values)
        )
        if "database" in layer.values:
            directory = layer.directory
    if directory != Path() and _names_a_file(merged):
        merged["database"] = os.path.join(directory, merged["database"])
    completed(merged, origins, environ or {})
    _refuse_nul(name, merged, origins)
    try:
        profile = Profile.from_values({"name": name, **_nest(merged)}, origins)
    except ValidationError as error:
        lines = [_describe(name, found, merged, origins) for found in error.errors(include_url=False)]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None
    if problems := [*place_problems(profile), *tls_problems(profile), *tunnel_problems(profile)]:
        raise ConfigError("\n".join(problems))
    return profile


def _refuse_nul(name: str, merged: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """Refuse the character at which a driver's text ends: it would send less than was said, or fail on it."""
    for key in (*_LOCATION, "application_name"):
        value = merged.get(key)
        options = value.items() if isinstance(value, Mapping) else [("", value)]
        for option, said in options:
            if any("\0" in str(text) for text in (option, *(said if isinstance(said, list) else [said]))):
                raise ConfigError(f"{origins.get(key, called(name))}: {key}: there is a NUL character in it")


def holds_password(table: Mapping[str, Any]) -> bool:
    """Tell whether a table of the profile file has a password, or another secret, written out in its URL."""
    url = table.get("url")
    if not isinstance(url, str):
        return False
    try:
        parts = split_url(url)
    except ConfigError:
        return False  # it is refused when its profile is chosen
    secrets = [parts.get("password", ""), *(value for key, value in parts.get("query", {}).items() if is_secret(key))]
    return any(_VARIABLE.sub("", secret) for secret in secrets if isinstance(secret, str))


def refuse_exposed(path: Path, tables: Iterable[Mapping[str, Any]]) -> None:
    """Refuse tables of a profile file with a password in them where others can read the file."""
    if any(map(holds_password, tables)) and is_file(path) and (problem := exposed(path)):
        raise ConfigError(f"{path}: there is a password in it, and {problem}", "or name its source with password_env")


def _flatten(table: Mapping[str, Any], origin: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if key not in _TABLES:
            yield key, value
        elif isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", item) for inner, item in value.items())
        else:
            raise ConfigError(f"{origin}: {key} = {_toml(value)}: allowed is a table, such as [profiles.NAME.{key}]")


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        head, _, rest = key.partition(".")
        if rest and head in _TABLES:
            nested.setdefault(head, {})[rest] = value
        else:
            nested[key] = value
    return nested


def _expand(text: str, where: str, environ: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        escaped, variable = match.groups()
        if escaped:
            return match[0][1:]
        if variable not in environ:
            raise ConfigError(f"{where}: the environment variable {variable} is not set", "set it, or take ${…} out")
        return environ[variable]

    return _VARIABLE.sub(fill, text)


def _expand_all(value: Any, expand: Any) -> Any:
    if isinstance(value, str):
        return expand(value)
    return [_expand_all(item, expand) for item in value] if isinstance(value, list) else value


def _at(origin: str, key: str, error: ConfigError) -> ConfigError:
    # An error from inside an expansion names its place already.
    return error if error.message.startswith(origin) else ConfigError(f"{origin}: {key}: {error.message}", error.hint)


def _refuse_contradictions(parts: Mapping[str, Any], table: Mapping[str, Any], origin: str) -> None:
    beside = dict(_flatten(table, origin))
    for key in parts:
        if key in beside and (key in _LOCATION or beside[key] != parts[key]):
            raise ConfigError(f"{origin}: {key}: the url says it too", "say it in one place")
    for key in _LOCATION[:-2]:
        if key in beside:
            raise ConfigError(f"{origin}: {key}: there is a url already", "write the url, or its parts as keys")


def _refuse_two_sources(values: Mapping[str, Any], origin: str) -> None:
    sources = [key for key in SOURCES if key in values]
    if len(sources) > 1:
        named = " and ".join("the url's password" if key == "password" else key for key in sources)
        raise ConfigError(f"{origin}: two sources for the password: {named}", "keep one")


def _replaced_by(layer: Layer, with_a_driver: set[str]) -> set[str]:
    """Return the keys of lower layers that one does away with: another place, password's source, tunnel.

    `with_a_driver` are those below that a layer has said which says a driver too.
    """
    values, replaced = layer.values, set[str]()
    if "driver" in values:
        replaced |= set(_LOCATION) & with_a_driver if layer.is_in_parts else set(_LOCATION)
    if "host" in values or "hosts" in values:
        replaced |= {"host", "hosts"}
    if any(source in values for source in SOURCES):
        replaced |= set(SOURCES)
    if any(key in values for key in TUNNELS):
        replaced |= set(TUNNELS)
    return replaced


def _names_a_file(values: Mapping[str, Any]) -> bool:
    """Tell whether the database is a file of SQLite's, and not in memory, nor named by a URI."""
    driver, database = values.get("driver"), values.get("database")
    if not (isinstance(driver, str) and driver.startswith("sqlite") and isinstance(database, str)):
        return False
    return database != "" and not database.startswith(("file:", ":memory:"))


def _describe(name: str, found: Any, merged: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    key = _dotted(found["loc"])
    head, _, leaf = key.rpartition(".")
    where = origins.get(key, called(name))
    if found["type"] == "extra_forbidden":
        known = _TABLES[head].model_fields if head else _FILE_KEYS
        return f"{where}: {key}: unknown key; {_dotted_key(key) or nearest(leaf, known)}"
    if found["type"] == "missing":
        required = "production needs a URL" if merged.get("environment") == "production" else "there is no url"
        return f"profile {name}: {required}; set DATABASE_URL, or url (or driver, host, …) in [profiles.{name}]"
    fields = (_TABLES[head] if head else Profile).model_fields
    allowed = fields[leaf].description if leaf in fields else found["msg"].removeprefix("Value error, ")
    shown = "" if is_secret(key) or key == "query" else f" = {_toml(merged.get(key))}"
    return f"{where}: {key}{shown}: allowed is {allowed}"


def _dotted_key(key: str) -> str:
    """Say which key of a table is meant by `pool_size`; nothing where none is."""
    table, _, leaf = key.partition("_")
    known = table in _TABLES and leaf in _TABLES[table].model_fields
    return f'did you mean "{table}.{leaf}"?' if known else ""


def _dotted(loc: tuple[int | str, ...]) -> str:
    return f"{loc[0]}.{loc[1]}" if loc[0] in _TABLES and len(loc) > 1 else str(loc[0])


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
