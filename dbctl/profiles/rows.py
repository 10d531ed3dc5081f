"""Making profiles of rows: a row's columns are a profile's keys, laid over the template's.

Rows are data, that others may write than those who write the profile file. So nothing in them is filled in from the
environment, they name no program to run, no module to import and no file or variable to read a secret from, and they
say nothing of TLS: what the template says of that holds wherever a row leads.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from dbctl.errors import ConfigError
from dbctl.profiles.families import family_of, may_rows_say
from dbctl.profiles.fleets import BETWEEN, Fleet
from dbctl.profiles.layers import Layer, layer_from_table
from dbctl.profiles.model import Pool, Profile
from dbctl.profiles.settings import nested, typed
from dbctl.profiles.urls import options_of
from dbctl.profiles.words import nearest

Row = Mapping[str, Any]

_NAME = re.compile(r"[^\W_][\w.@+-]*")
_RUNS = ("password_command", "tunnel", "models", "exclude", "app_dir", "alembic", "seed")
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(_RUNS, "a row names nothing to run or to import"),
    **dict.fromkeys(("password_env", "password_file", "password_keyring"), "a row reads no secret of this machine"),
    "ssl": "a row says nothing of TLS",
    **dict.fromkeys(("environment", "mask"), "a row takes away nothing that protects data"),
}
"""Why a row has no such column."""
_PLAIN = [key for key in ("url", *Profile.model_fields) if key not in {*_REFUSED, "query", "pool"}]
_TABLES: Mapping[str, type[BaseModel]] = {"pool": Pool}
_KNOWN = [*_PLAIN, *(f"{table}.{key}" for table, kind in _TABLES.items() for key in kind.model_fields), "query"]


def tables_of(fleet: Fleet, rows: Iterable[Row], profiles: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what rows say, by the names of the profiles that they are: `tenants/acme`.

    Args:
        fleet: Whose they are.
        rows: The rows, by the names of their columns.
        profiles: The names that the profile file's own have.

    Raises:
        ConfigError: There is none, one has no name or an odd one, two have the same, or a column is no profile's key.
    """
    taken = set(profiles)
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, 1):
        where = f"{fleet.origin}: row {number}"
        if "name" not in row:
            raise ConfigError(f'{where}: there is no column "name"; it has {", ".join(row) or "none"}')
        name = f"{fleet.name}{BETWEEN}{_name_in(where, row['name'])}"
        if name in found or name in taken:
            other = "two rows have" if name in found else "a profile of the file has"
            raise ConfigError(f"{where}: {other} the name {name}", "give each a name of its own")
        found[name] = _table(fleet, f"{where} ({name.partition(BETWEEN)[2]})", row)
    if not found:
        raise ConfigError(f"{fleet.origin}: {fleet.asked} gives no row, and so no profile")
    return found


def layer_of(fleet: Fleet, name: str, table: Mapping[str, Any], driver: str) -> Layer:
    """Return the layer of a profile's values that its row says.

    Args:
        fleet: Whose row it is.
        name: The profile's name.
        table: What the row says.
        driver: The driver where the row names none.

    Raises:
        ConfigError: The row's URL is none, contradicts another column, or has an option that no row may say.
    """
    values = dict(table)
    password = values.pop("password", None)
    origin = f"{fleet.origin} {name.partition(BETWEEN)[2]}"
    said = values.get("url", "").partition("://")
    family = family_of(said[0] if said[1] else values.get("driver", driver))
    if not family:
        columns = ", ".join(["name", *table])
        raise ConfigError(
            f"{origin}: no url, and no driver: the row has {columns}", "select one, or " + _in_template(fleet)
        )
    for column, option in _options_in(values):
        if not may_rows_say(family, option):
            raise ConfigError(
                f'{origin}: column "{column}": a row may not say {option}: it is no option that only says where',
                _in_template(fleet),
            )
    layer = layer_from_table(values, origin, fleet.path.parent, None)
    return layer if password is None else Layer({**layer.values, "password": password}, origin, layer.directory)


def _options_in(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the driver's options that a row names, each after its column."""
    yield from (("url", option) for option in options_of(values.get("url", "")))
    query = values.get("query")
    yield from ((f"query.{option}", option) for option in (query if isinstance(query, Mapping) else ()))


def _in_template(fleet: Fleet) -> str:
    return f"say it in the template{f' [profiles.{fleet.template}]' if fleet.template else ''}"


def _name_in(where: str, said: object) -> str:
    name = "" if said is None or isinstance(said, bool | Mapping | list) else str(said)
    if not _NAME.fullmatch(name):
        shown = "there is no name" if name == "" else f"name {name!r}"
        rule = "a letter or a digit, and then letters, digits and . _ - @ +"
        raise ConfigError(f"{where}: {shown}: allowed is {rule}", "have the query give such a one, a slug or an id")
    return name


def _table(fleet: Fleet, where: str, row: Row) -> dict[str, Any]:
    """Return a row as a table of the profile file; what is NULL is not said."""
    values: dict[str, Any] = {}
    for column, value in row.items():
        if column == "name" or value is None:
            continue
        for key, said in _keys_in(column, value):
            _refuse(fleet, where, key)
            values[key] = _value(key, said)
    return nested(values)


def _keys_in(column: str, value: object) -> Iterable[tuple[str, object]]:
    """Return a column by dotted key: JSON may have a table in it."""
    if column in {*_TABLES, "ssl", "query"} and isinstance(value, Mapping):
        return [(f"{column}.{key}", said) for key, said in value.items() if said is not None]
    return [(column, value)]


def _refuse(fleet: Fleet, where: str, key: str) -> None:
    """Refuse a column that is no key of a profile, or none that a row may say."""
    head, dot, _ = key.partition(".")
    if why := _REFUSED.get(head):
        raise ConfigError(f'{where}: column "{key}": {why}', _in_template(fleet))
    if key not in _KNOWN and not (head == "query" and dot):
        raise ConfigError(f'{where}: column "{key}": no key of a profile; {nearest(key, _KNOWN)}')


def _value(key: str, said: Any) -> Any:
    """Return a value as TOML would have it: a database may have no type but text for a number or a list."""
    if key in {"url", "password"}:
        return str(said)
    if key == "tags" and isinstance(said, str) and not said.lstrip().startswith("["):
        return [word.strip() for word in said.strip("{}").split(",") if word.strip()]
    return typed(key, said if isinstance(said, str) else _as_text(said)) if not isinstance(said, list) else said


def _as_text(said: object) -> str:
    return str(said).lower() if isinstance(said, bool) else str(said)
