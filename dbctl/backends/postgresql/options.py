"""What a URL may tell PostgreSQL's drivers: libpq's keywords, which psycopg2 is given as they are, and asyncpg's own.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS and
https://magicstack.github.io/asyncpg/current/api/index.html#connection
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from dbctl.backends.options import FLAG, TEXT, WHOLE, Option, one_of
from dbctl.errors import ConfigError
from dbctl.profiles import Profile
from dbctl.profiles.files import unreadable
from dbctl.profiles.places import Place
from dbctl.profiles.places import places as places_of
from dbctl.profiles.query import is_yes

DEFAULT_PORT = 5432

_LIBPQ = TEXT.for_sync()
_NUMBER = replace(WHOLE, read=lambda text: str(WHOLE.read(text)), asynchronous=False)
_SWITCH = one_of("0", "1").for_sync()
_TLS = one_of("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3").for_sync()


def _utf8(text: str) -> str:
    if text.lower().replace("-", "").replace("_", "") not in {"utf8", "unicode", "auto"}:
        raise ValueError("utf8: text is always sent so, and the server translates it to what the database has")
    return text


def _no_replication(text: str) -> str:
    if text.lower() not in {"0", "off", "false", "no"}:
        raise ValueError("off: a connection for replication has no transactions")
    return text


OPTIONS: Mapping[str, Option] = {
    # These two tell where to connect, see `places`.
    "host": Option(several=True, sync=False, asynchronous=False),
    "port": Option(several=True, sync=False, asynchronous=False),
    "hostaddr": _LIBPQ,
    "options": _LIBPQ,
    "passfile": TEXT,
    "keepalives": _SWITCH,
    **dict.fromkeys(("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"), _NUMBER),
    "target_session_attrs": one_of("any", "read-write", "read-only", "primary", "standby", "prefer-standby").for_sync(),
    "load_balance_hosts": one_of("disable", "random").for_sync(),
    "channel_binding": one_of("disable", "prefer", "require").for_sync(),
    "require_auth": _LIBPQ,
    "requirepeer": _LIBPQ,
    "krbsrvname": TEXT,
    "gsslib": one_of("gssapi", "sspi"),
    "gssdelegation": _SWITCH,
    # GSS would encrypt in place of TLS, and past what ssl.mode asks for.
    "gssencmode": one_of("disable", "prefer").for_sync(),
    "sslpassword": _LIBPQ,
    "sslcrl": _LIBPQ,
    "sslcrldir": _LIBPQ,
    "sslsni": _SWITCH,
    "sslcertmode": one_of("disable", "allow", "require").for_sync(),
    "sslcompression": _SWITCH,
    "sslnegotiation": one_of("postgres", "direct").for_sync(),
    "ssl_min_protocol_version": _TLS,
    "ssl_max_protocol_version": _TLS,
    "client_encoding": Option(_utf8).but("text is always UTF-8"),
    "fallback_application_name": TEXT.but("application_name goes before it"),
    "replication": Option(_no_replication).but("a connection is one for transactions"),
    "autocommit": FLAG.but("a run is one transaction"),
    "prepare_threshold": TEXT.but("it is psycopg's, which does not connect here"),
    # asyncpg's own
    **dict.fromkeys(
        ("statement_cache_size", "max_cached_statement_lifetime", "max_cacheable_statement_size"), WHOLE.for_async()
    ),
    "prepared_statement_cache_size": WHOLE.for_async(),
    "command_timeout": TEXT.but("statement_timeout is the profile's own key"),
    "direct_tls": FLAG.for_async(),
}

ONLY_LIBPQ = ("require_auth", "requirepeer", "sslcrldir")
"""What libpq makes sure of and asyncpg can't: the async driver does not connect without it."""


def places(profile: Profile) -> list[Place]:
    """Return where a profile connects to, in its order, as `dbctl.profiles.places` does."""
    return places_of(profile, DEFAULT_PORT)


def option_problems(profile: Profile) -> Iterator[str]:
    """Yield a line for what is wrong with the hosts, the list of revoked certificates, and TLS from the first byte."""
    try:
        places(profile)
    except ConfigError as error:
        yield str(error)
    where = profile.origins.get("query", profile.called)
    revoked = profile.query.get("sslcrl")
    if revoked and (reason := unreadable(Path(str(revoked)))):  # which libpq would pass over
        yield f"{where}: query.sslcrl: can't read {revoked}: {reason}"
    direct = profile.query.get("sslnegotiation") == "direct" or is_yes(str(profile.query.get("direct_tls", "no")))
    if direct and profile.ssl.mode in {"disable", "prefer"}:
        yield f'{where}: query.sslnegotiation: ssl.mode is "{profile.ssl.mode}"; set it to "verify-full" or "require"'
