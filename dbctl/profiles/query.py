"""What stands in a URL's query, or in a profile's table `query`: the profile's own keys, and options of the driver."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from dbctl.errors import ConfigError
from dbctl.profiles.families import family_of, keys_of

Options = Iterable[tuple[str, str]]

# MySQL's words for the modes (https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#option_general_ssl-mode).
_MYSQL_MODES = {
    "DISABLED": "disable",
    "PREFERRED": "prefer",
    "REQUIRED": "require",
    "VERIFY_CA": "verify-ca",
    "VERIFY_IDENTITY": "verify-full",
}
_YES, _NO = {"true", "1", "yes", "on", ""}, {"false", "0", "no", "off"}

# PyMySQL's and SQLAlchemy's: each is a part of a mode.
_FLAGS = ("ssl_disabled", "ssl_verify_cert", "ssl_verify_identity", "ssl_check_hostname")
_MYSQL_FILES = ("ssl_ca", "ssl_cert", "ssl_key")
SYSTEM = "system"
"""libpq's word for the authorities that the system trusts."""


def taken_apart(driver: object, options: Options, *, implied: bool = True) -> dict[str, Any]:
    """Return what options say, under a profile's keys; what only the driver knows is left under `query`.

    Args:
        driver: The driver's name as the profile has it.
        options: The options, in their order; one may be there several times.
        implied: Whether a TLS mode that is not named is told by what else is said of TLS.

    Raises:
        ConfigError: One is not understood, or two contradict each other.
    """
    keys = keys_of(family_of(driver))
    values: dict[str, Any] = {}
    query: dict[str, Any] = {}
    flags: dict[str, bool] = {}
    seen: set[str] = set()
    for option, text in options:
        seen.add(option)
        if option in _FLAGS:
            flags[option] = _flag(option, text)
        elif own := keys.get(option):
            value = _mode(option, text) if own == "ssl.mode" else text
            if values.setdefault(own, value) != value:
                raise ConfigError(f"its query says {own} twice, and not the same", "say it once")
        else:
            query[option] = [*as_list(query[option]), text] if option in query else text
    if implied and "ssl.mode" not in values:
        values |= _implied(values, flags, seen)
    return values | ({"query": query} if query else {})


def with_keys_for_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a profile's values with those options of its table `query` under keys for which it has some.

    Args:
        values: The values by dotted key, as a table of the profile file has them.

    Raises:
        ConfigError: A key is said twice, or it is a password.
    """
    query = values.get("query")
    if not isinstance(query, Mapping):
        return dict(values)
    options = [(key, text) for key, value in query.items() for text in as_list(value)]
    if not all(isinstance(text, str) for _, text in options):
        return dict(values)  # which the profile's validation tells
    found = taken_apart(values.get("driver", ""), options, implied="ssl.mode" not in values)
    if "password" in found and "password" in query:
        raise ConfigError("password is no option", "name its source with password_env or password_file")
    for key in found.keys() & values.keys() - {"query"}:
        if found[key] != values[key]:
            raise ConfigError(f"{key} is said twice, and not the same", "say it once")
    return {**values, "query": {}, **found}


def mode_of(word: str) -> str:
    """Return a TLS mode by libpq's word for it, which a profile uses too; MySQL has others."""
    return _MYSQL_MODES.get(word.upper(), word)


def as_list(value: str | list[str]) -> list[str]:
    """Return an option's values, of which there may be one or several."""
    return value if isinstance(value, list) else [value]


def is_yes(text: str) -> bool | None:
    """Return what a word says that stands for true or false, or None where it is neither."""
    word = text.strip().lower()
    return True if word in _YES else False if word in _NO else None


def _flag(option: str, text: str) -> bool:
    if (found := is_yes(text)) is None:
        raise ConfigError(f"{option} in its query: allowed is true or false")
    return found


def _mode(option: str, text: str) -> str:
    """Return the mode that an option names; `ssl` says of some drivers true or false, of others what is to be checked.

    https://planetscale.com/docs/vitess/connecting/secure-connections has `ssl={"rejectUnauthorized":true}`.
    """
    if option != "ssl":
        return mode_of(text)
    if (found := is_yes(text)) is not None:
        return "require" if found else "disable"
    if not text.lstrip().startswith("{"):
        return mode_of(text)
    try:
        said = json.loads(text)
    except ValueError:
        said = {}
    if set(said) != {"rejectUnauthorized"} or not isinstance(said["rejectUnauthorized"], bool):
        raise ConfigError("ssl in its query is not understood", "say it with sslmode, such as verify-full")
    return "verify-full" if said["rejectUnauthorized"] else "require"


def _implied(values: dict[str, Any], flags: dict[str, bool], seen: set[str]) -> dict[str, Any]:
    """Return the mode that is meant where none is named, and the authority that it does without.

    An authority alone is verified by SQLAlchemy's PyMySQL with the host's name
    (https://docs.sqlalchemy.org/en/20/dialects/mysql.html#ssl-connections); libpq's `system` stands for that too
    (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSLROOTCERT).
    """
    if flags.pop("ssl_disabled", False):
        return {"ssl.mode": "disable"}
    named = flags.get("ssl_verify_identity", flags.get("ssl_check_hostname"))
    verified = flags.get("ssl_verify_cert")
    if named or values.get("ssl.ca") == SYSTEM or (named is None and verified is None and "ssl_ca" in seen):
        return {"ssl.mode": "verify-full"}
    if verified or (verified is None and "ssl_ca" in seen):
        return {"ssl.mode": "verify-ca"}
    if flags or seen.intersection(_MYSQL_FILES):
        return {"ssl.mode": "require"} | ({"ssl.ca": None} if "ssl_ca" in seen else {})
    return {}
