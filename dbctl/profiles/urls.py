"""Database URLs: taking them apart, showing them without their secrets.

SQLAlchemy has a parser of its own, but importing it takes longer than all that `dbctl profiles` does. This one reads
the same URLs, and besides those in which the password holds a bare `@`, `/` or `:`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from dbctl.errors import ConfigError
from dbctl.profiles.query import as_list, taken_apart

MASK = "********"

_URL = re.compile(
    r"""(?P<driver>[A-Za-z][\w+.-]*)://
    (?:(?P<user>[^:/?]*)(?::(?P<password>.*))?@)?         # up to the last @
    (?:(?P<hosts>[^/?@,]*(?:,[^/?@,]*)+)                   # several, each with its port
    |(?:\[(?P<ipv6>[^\]/?]*)\]|(?P<host>[^/:?]*))(?::(?P<port>[^/?]*))?)
    (?:/(?P<database>.*))?""",
    re.VERBOSE | re.DOTALL,
)
_QUERY = re.compile(r"(?P<place>.*)\?(?P<query>(?:[\w.-]+=[^?]*)?)", re.DOTALL)

_QUOTED = "write %3F for a ? in its password, and %40 for an @ in its query"
_FORM = "write driver://user:password@host:port/database"
# A port that is no number, nor filled in later: the URL was cut in the middle of a password.
_PASSWORD_AS_PORT = re.compile(r"(?!\d|\$\{).+", re.DOTALL)

_SOURCES_OF_SECRETS = {"password_env", "password_file", "password_command", "password_keyring"}


def split_url(url: str, expand: Callable[[str], str] = str, *, implied: bool = False) -> dict[str, Any]:
    """Take a database URL apart into a profile's dotted keys.

    Args:
        url: `driver://user:password@host:port/database?option=value`; there may be several hosts, as libpq has them:
            `host1:port1,host2:port2`.
        expand: Applied to each part after percent-decoding, so that what it fills in needs no encoding.
        implied: Whether to tell a TLS mode that is not named by what else is said of TLS: `ssl_ca` is to verify by.

    Returns:
        The keys that the URL sets: driver, host, port, user, database, password, `query`, and what its query says of
        TLS, connect_timeout and application_name under the profile's own names. Several hosts are in the query.

    Raises:
        ConfigError: It is not a database URL, or another program could read it in another way. The message never holds
            the URL.
    """
    part = _parts(url.strip())
    values: dict[str, Any] = {
        "driver": part["driver"].lower(),
        "user": unquote(part["user"] or ""),
        "password": unquote(part["password"] or ""),
        "host": part["ipv6"] or unquote(part["host"] or ""),
        "port": part["port"],
        "database": unquote(part["database"] or ""),
    }
    values = {key: expand(value) for key, value in values.items() if value}
    hosts = [expand(unquote(one)) for one in (part["hosts"] or "").split(",")]
    if not re.fullmatch("[0-9]*", values.get("port", "")):
        # What stands there is not repeated: it may be a password behind which the host is missing.
        raise ConfigError("not a database URL: its port is no number", _FORM)
    options = [(key, expand(raw)) for key, raw in parse_qsl(part["query"], keep_blank_values=True)]
    said = taken_apart(values["driver"], options, implied=implied)
    if len(hosts) > 1:
        if "host" in said.get("query", {}):
            raise ConfigError("its query says host twice, and not the same", "say it once")
        said["query"] = {"host": hosts, **said.get("query", {})}
    for key, value in said.items():
        if values.setdefault(key, value) != value:
            raise ConfigError(f"its query says {key} twice, and not the same", "say it once")
    return values


def options_of(url: str) -> list[str]:
    """Return the names of the options in a database URL's query; none where it is no such URL."""
    try:
        return [name for name, _ in parse_qsl(_parts(url.strip())["query"], keep_blank_values=True)]
    except ConfigError:
        return []


def _parts(url: str) -> dict[str, str]:
    """Take a URL apart, the query first: an @ in it is not the one behind a password, and a ? may be in a password."""
    with_query = _QUERY.fullmatch(url)
    for place, query in ([with_query.groups()] if with_query else []) + [(url, "")]:
        match = _URL.fullmatch(place)
        if match and not (query and _PASSWORD_AS_PORT.fullmatch(match["port"] or "")):
            if "@" in query and (other := _URL.fullmatch(url)) and other["password"]:
                raise ConfigError("not a database URL that all programs read alike", _QUOTED)
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
    if host and "," in host:  # several, each with its port
        place = quote(host, safe=",@:[]")
    else:
        place = f"[{host}]" if host and ":" in host else quote(host or "", safe="@")
    place += f":{port}" if port else ""
    shown = f"{driver}://{login}{'@' if login else ''}{place}" + (f"/{database}" if database else "")
    options = [
        f"{quote_plus(key)}={MASK if is_secret(key) else quote_plus(value)}"
        for key, values in query.items()
        for value in as_list(values)
    ]
    return shown + (f"?{'&'.join(options)}" if options else "")
