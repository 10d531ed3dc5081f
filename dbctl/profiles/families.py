"""Which database a driver's name chooses, and what its programs call what a profile has a key for.

A service names the driver that it uses itself, such as `postgresql+psycopg`; what stands before the `+` is enough to
tell the database.
"""

from collections.abc import Collection, Mapping

_SAME: Mapping[str, str] = {
    "postgres": "postgresql",
    "pgsql": "postgresql",
    "postgis": "postgresql",
    "mariadb": "mysql",
    "mysql2": "mysql",
    "sqlite3": "sqlite",
}

_COMMON: Mapping[str, str] = {
    "sslmode": "ssl.mode",
    "ssl": "ssl.mode",
    "ssl-mode": "ssl.mode",
    "ssl_mode": "ssl.mode",
    "sslrootcert": "ssl.ca",
    "sslcert": "ssl.cert",
    "sslkey": "ssl.key",
    "ssl_ca": "ssl.ca",
    "ssl_cert": "ssl.cert",
    "ssl_key": "ssl.key",
    "connect_timeout": "connect_timeout",
    "application_name": "application_name",
    "password": "password",
}
# What drivers call these in a URL's query, and what a profile calls them.
_OWN: Mapping[str, Mapping[str, str]] = {
    "postgresql": {"user": "user", "dbname": "database", "database": "database", "timeout": "connect_timeout"},
    "mysql": {
        "user": "user",
        "host": "host",
        "port": "port",
        "db": "database",
        "database": "database",
        "program_name": "application_name",
        "connection_timeout": "connect_timeout",
    },
    "sqlite": {"timeout": "lock_timeout"},
}

VARIABLES: Mapping[str, Mapping[str, str]] = {
    "postgresql": {
        "PGHOST": "host",
        "PGPORT": "port",
        "PGUSER": "user",
        "PGDATABASE": "database",
        "PGOPTIONS": "query.options",
    }
}
"""By family, the variables in which the database's own programs look for what is not said, by a profile's key."""

_POSTGRESQL = frozenset({
    *("host", "port", "hostaddr", "options", "target_session_attrs", "load_balance_hosts"),
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
    *("client_encoding", "fallback_application_name", "command_timeout"),
    *("statement_cache_size", "max_cached_statement_lifetime", "max_cacheable_statement_size"),
    "prepared_statement_cache_size",
})  # fmt: skip
# By family, what says nothing of TLS, nor of how who connects is proved, and reads no file of this machine.
_HARMLESS: Mapping[str, Collection[str]] = {
    "postgresql": _POSTGRESQL,
    "cockroachdb": _POSTGRESQL,
    "mysql": frozenset({
        *("unix_socket", "bind_address", "passwd", "charset", "use_unicode", "collation", "sql_mode"),
        *("binary_prefix", "max_allowed_packet", "stmt_cache_size", "read_timeout", "write_timeout"),
    }),
    "sqlite": frozenset({"uri", "mode", "cache", "immutable", "nolock", "psow", "detect_types", "cached_statements"}),
}  # fmt: skip


def family_of(driver: object) -> str:
    """Return the name of the database that a driver's name chooses: `mysql` of `mariadb+mysqldb`."""
    plain = str(driver).partition("+")[0].lower()
    return _SAME.get(plain, plain)


def keys_of(family: str) -> Mapping[str, str]:
    """Return which of a profile's keys each option of a URL's query stands for; the others are the driver's alone."""
    return {**_COMMON, **_OWN.get(family, {})}


def may_rows_say(family: str, option: str) -> bool:
    """Tell whether an option may come from who only decides where to connect, as a row of a fleet does.

    What a profile has a key for is that key's; all others are refused but those that are known to be harmless.

    Args:
        family: The database that it is said to, as `family_of` has it.
        option: Its name.
    """
    if own := keys_of(family).get(option):
        return not own.startswith("ssl.")
    return option in _HARMLESS.get(family, ())
