"""Database URLs: taking them apart, showing them without their secrets.

SQLAlchemy has a parser of its own, but importing it takes longer than all that `dbctl profiles` does. This one reads
the same URLs, and besides those in which the password holds a bare `@`, `/` or `:`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from dbctl.errors import ConfigError

MASK = "********"

_URL = re.compile(
    r"""(?P<driver>[A-Za-z][\w+.-]*)://
    (?:(?P<user>[^:/?]*)(?::(?P<password>.*))?@)?         # up to the last @
    (?:\[(?P<ipv6>[^\]/?]*)\]|(?P<host>[^/:?]*))
    (?::(?P<port>[^/?]*))?
    (?:/(?P<database>.*))?""",
    re.VERBOSE | re.DOTALL,
)
_QUERY = re.compile(r"(?P<place>.*)\?(?P<query>(?:[\w.-]+=[^?]*)?)", re.DOTALL)

_FORM = "write driver://user:password@host:port/database"
# A port that is no number, nor filled in later: the URL was cut in the middle of a password.
_PASSWORD_AS_PORT = re.compile(r"(?!\d|\$\{).+", re.DOTALL)

# What drivers call these in a URL's query, and what a profile calls them.
_QUERY_KEYS = {
    "sslmode": "ssl.mode",
    "ssl": "ssl.mode",
    "ssl-mode": "ssl.mode",
    "sslrootcert": "ssl.ca",
    "sslcert": "ssl.cert",
    "sslkey": "ssl.key",
    "ssl_mode": "ssl.mode",
    "ssl_ca": "ssl.ca",
    "ssl_cert": "ssl.cert",
    "ssl_key": "ssl.key",
    "connect_timeout": "connect_timeout",
    "application_name": "application_name",
    "password": "password",
}
# What would turn TLS on, off or half on past the profile's back.
_SOURCES_OF_SECRETS = {"password_env", "password_file", "password_command", "password_keyring"}
_REFUSED_KEYS = {"ssl_disabled", "ssl_verify_cert", "ssl_verify_identity", "ssl_check_hostname"}
# MySQL's words for the modes (https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#option_general_ssl-mode).
_MYSQL_MODES = {
    "DISABLED": "disable",
    "PREFERRED": "prefer",
    "REQUIRED": "require",
    "VERIFY_CA": "verify-ca",
    "VERIFY_IDENTITY": "verify-full",
}


def split_url(url: str, expand: Callable[[str], str] = str) -> dict[str, Any]:
    """Take a database URL apart into a profile's dotted keys.

    Args:
        url: `driver://user:password@host:port/database?option=value`.
        expand: Applied to each part after percent-decoding, so that what it fills in needs no encoding.

    Returns:
        The keys that the URL sets: driver, host, port, user, database, password, `query`, and what its query says of
        TLS, connect_timeout and application_name under the profile's own names.

    Raises:
        ConfigError: It is not a database URL. The message never holds the URL.
    """
    part = _parts(url.strip())
    values: dict[str, Any] = {
        "driver": part["driver"].lower(),
        "user": unquote(part["user"] or ""),
        "password": unquote(part["password"] or ""),
        "host": part["ipv6"] or part["host"],
        "port": part["port"],
        "database": unquote(part["database"] or ""),
    }
    values = {key: expand(value) for key, value in values.items() if value}
    if not re.fullmatch("[0-9]*", values.get("port", "")):
        # What stands there is not repeated: it may be a password behind which the host is missing.
        raise ConfigError("not a database URL: its port is no number", _FORM)
    query: dict[str, Any] = {}
    for key, raw in parse_qsl(part["query"], keep_blank_values=True):
        value = expand(raw)
        if key in _REFUSED_KEYS:
            raise ConfigError(f"{key} in its query is not understood", "say it with sslmode, such as verify-full")
        if own := _QUERY_KEYS.get(key):
            value = mode_of(value) if own == "ssl.mode" else value
            if values.setdefault(own, value) != value:
                raise ConfigError(f"its query says {own} twice, and not the same", "say it once")
        else:
            query[key] = [*_as_list(query[key]), value] if key in query else value
    if query:
        values["query"] = query
    return values


def _parts(url: str) -> dict[str, str]:
    """Take a URL apart, the query first: an @ in it is not the one behind a password, and a ? may be in a password."""
    with_query = _QUERY.fullmatch(url)
    for place, query in ([with_query.groups()] if with_query else []) + [(url, "")]:
        match = _URL.fullmatch(place)
        if match and not (query and _PASSWORD_AS_PORT.fullmatch(match["port"] or "")):
            return match.groupdict() | {"query": query}
    raise ConfigError("not a database URL", _FORM)


def without_secrets(url: str) -> str:
    """Return a database URL as it is, but without its password and the secret options of its query.

    Args:
        url: The URL; of one that is none nothing is returned, for anything in it may be a secret.
    """
    try:
        part = _parts(url.strip())
    except ConfigError:
        return ""
    place = url.strip().removesuffix(f"?{part['query']}") if part["query"] else url.strip()
    if part["password"] is not None:
        place = place.replace(f"{part['user']}:{part['password']}@", f"{part['user']}@", 1)
    options = [option for option in part["query"].split("&") if not is_secret(unquote(option.partition("=")[0]))]
    return f"{place}?{'&'.join(options)}" if any(options) else place


def mode_of(word: str) -> str:
    """Return a TLS mode by libpq's word for it, which a profile uses too; MySQL has others."""
    return _MYSQL_MODES.get(word.upper(), word)


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def is_secret(key: str) -> bool:
    """Tell whether an option of this name holds a secret (`password`, `sslpassword`, `ssl_key_password`, …)."""
    return key.lower() not in _SOURCES_OF_SECRETS and any(
        word in key.lower() for word in ("passw", "secret", "token", "passphrase")
    )


def show_url(
    driver: str,
    user: str | None,
    has_password: bool,
    host: str | None,
    port: int | None,
    database: str | None,
    query: Mapping[str, str | list[str]],
) -> str:
    """Write the parts of a URL as one, every secret in it replaced by asterisks."""
    login = quote(user, safe="") if user else ""
    login += f":{MASK}" if has_password else ""
    place = f"[{host}]" if host and ":" in host else host or ""
    place += f":{port}" if port else ""
    shown = f"{driver}://{login}{'@' if login else ''}{place}" + (f"/{database}" if database else "")
    options = [
        f"{quote_plus(key)}={MASK if is_secret(key) else quote_plus(value)}"
        for key, values in query.items()
        for value in _as_list(values)
    ]
    return shown + (f"?{'&'.join(options)}" if options else "")
