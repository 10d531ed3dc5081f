"""Which database a driver's name chooses, and what its programs call what a profile has a key for.

A service names the driver that it uses itself, such as `postgresql+psycopg`; what stands before the `+` is enough to
tell the database.
"""

from collections.abc import Mapping

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


def family_of(driver: object) -> str:
    """Return the name of the database that a driver's name chooses: `mysql` of `mariadb+mysqldb`."""
    plain = str(driver).partition("+")[0].lower()
    return _SAME.get(plain, plain)


def keys_of(family: str) -> Mapping[str, str]:
    """Return which of a profile's keys each option of a URL's query stands for; the others are the driver's alone."""
    return {**_COMMON, **_OWN.get(family, {})}
