"""Profiles made of what other programs connect by: a URL, variables, an environment file, libpq's and MySQL's files.

No password is copied. What a profile has no word for is told in a note, never dropped in silence.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError
from dbctl.profiles.dotenv import variables_in
from dbctl.profiles.files import absolute
from dbctl.profiles.query import as_list, mode_of
from dbctl.profiles.settings import typed
from dbctl.profiles.urls import is_secret, split_url

# What other programs call a database, and what a profile calls it.
_DRIVERS = {
    "pgsql": "postgresql", "postgis": "postgresql", "postgresql_psycopg2": "postgresql",
    "postgresql+psycopg": "postgresql", "postgresql+psycopg_async": "postgresql", "postgresql+pg8000": "postgresql",
    "mysql2": "mysql", "mysql+mysqldb": "mysql", "mysql+mysqlconnector": "mysql", "mysql+aiomysql": "mysql",
    "mariadb+mariadbconnector": "mariadb", "sqlite3": "sqlite",
}  # fmt: skip
_VARIABLES = {
    "ENGINE": "driver", "CONNECTION": "driver", "HOST": "host", "HOSTNAME": "host", "SERVER": "host", "PORT": "port",
    "NAME": "database", "DB": "database", "DATABASE": "database", "DBNAME": "database", "USER": "user",
    "USERNAME": "user", "PASSWORD": "password", "PASS": "password", "PASSWORD_FILE": "password_file",
    "SSLMODE": "ssl.mode", "SSL_MODE": "ssl.mode", "SSLROOTCERT": "ssl.ca", "SSL_CA": "ssl.ca", "SSLCERT": "ssl.cert",
    "SSL_CERT": "ssl.cert", "SSLKEY": "ssl.key", "SSL_KEY": "ssl.key", "CONNECT_TIMEOUT": "connect_timeout",
    "APPNAME": "application_name",
}  # fmt: skip
# The first part of the variables' names, and the database that it tells; libpq's own have no underscore behind it.
_FAMILIES = {"DB": "", "POSTGRES": "postgresql", "PG": "postgresql", "MYSQL": "mysql", "MARIADB": "mariadb"}
_PATHS = ("ssl.ca", "ssl.cert", "ssl.key", "password_file")


@dataclass
class Found:
    """A profile as another program's settings give it.

    Args:
        name: What it is called there, if it is called anything.
        values: The profile's values, by dotted key.
        notes: What a person has to know: where the password is, what was not taken over.
        password: The password, which is no value: it is for who connects, and never written.
    """

    name: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    password: str | None = field(default=None, repr=False)

    def take(self, key: str, value: str, said: str) -> None:
        """Take a value over, as far as a profile may hold it.

        Args:
            key: The profile's dotted key for it.
            value: The value as text.
            said: Where it stands and what it is called there.
        """
        if key == "password" or (key.startswith("query.") and is_secret(key)):
            hint = (
                "name its source: password_env=VARIABLE or password_file=FILE" if key == "password" else "it is secret"
            )
            self.notes.append(f"{said} is not copied; {hint}")
            self.password = value if key == "password" else self.password
        elif key == "ssl.mode" and value == "allow":
            self.notes.append(f"{said} = allow has no like; prefer is taken")
            self.values[key] = "prefer"
        elif key == "ssl.mode":
            self.values[key] = mode_of(value)
        elif key == "ssl.ca" and value == "system":
            self.skip(f"{said} = system")
        elif key == "connect_timeout" and value == "0":
            self.skip(f"{said} = 0, no limit,")
        elif key == "host" and value.startswith("/"):
            self.values["query.host"] = value
        elif key == "driver":
            name = value.lower().rpartition(".")[2]  # Django names a module
            self.values[key] = _DRIVERS.get(name, name)
        elif key in _PATHS:
            self.values[key] = _literal(str(absolute(os.path.expanduser(value))))
        else:
            found = typed(key, value) if not key.startswith("query.") else value
            self.values[key] = _literal(found) if isinstance(found, str) else found

    def skip(self, said: str) -> None:
        """Tell that something is not taken over."""
        self.notes.append(f"{said} is not taken over")

    def completed(self) -> "Found":
        """Return it with the host that is meant where a server's is not named, and with each of several by itself."""
        self._split_hosts()
        has_host = {"host", "hosts", "query.host", "query.unix_socket", "url"} & set(self.values)
        if not has_host and self.values.get("driver", "sqlite") != "sqlite":
            self.values["host"] = "localhost"
            self.notes.append("no host is named: localhost is taken")
        return self

    def _split_hosts(self) -> None:
        """Put several hosts, and their ports, where a profile has such: as libpq has them they are in one text each.

        https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS
        """
        values = self.values
        named = next((str(values[key]) for key in ("host", "query.host", "query.hostaddr") if key in values), "")
        hosts, ports = named.split(","), str(values.get("port", "")).split(",")
        if len(hosts) == 1 or len(ports) not in {1, len(hosts)}:
            return
        own_ports = ports if len(ports) > 1 else [""] * len(hosts)
        if "query.hostaddr" not in values and not any(one.startswith(("/", "@")) for one in hosts):
            del values["host"]
            values["hosts"] = [_placed(host.strip(), port.strip()) for host, port in zip(hosts, own_ports, strict=True)]
        elif len(ports) > 1:
            values["query.port"] = values["port"]
            if "host" in values:
                values["query.host"] = values.pop("host")
        if len(ports) > 1:
            del values["port"]


def from_url(url: str, said: str = "the URL") -> Found:
    """Read a database URL.

    Raises:
        ConfigError: It is none.
    """
    found = Found()
    for key, value in split_url(url, implied=True).items():
        if value is None:
            continue  # what the URL only takes away
        if key != "query":
            found.take(key, str(value), f"{said}: {key}")
        else:
            for option, text in value.items():
                last = ",".join(text) if option == "host" and not isinstance(text, str) else as_list(text)[-1]
                found.take(f"query.{option}", last, f"{said}: {option}")
    return found.completed()


def from_variables(environ: Mapping[str, str], entry: str | None, place: str) -> Found:
    """Read the variables of an environment.

    Args:
        environ: The variables.
        entry: The variable with the URL, or the first part of the names of those with its parts (`DB`, `POSTGRES`);
            DATABASE_URL unless given, or the parts that are there.
        place: Where the variables are, for messages.

    Raises:
        ConfigError: There is nothing to connect by, or it is wrong.
    """
    if entry is None:
        families = [name for name in _FAMILIES if {"host", "database"} & set(_family(environ, name))]
        entry = "DATABASE_URL" if environ.get("DATABASE_URL") else next(iter(families), "")
        if not entry:
            raise ConfigError(f"{place}: there is no DATABASE_URL, nor DB_, POSTGRES_, PG or MYSQL_ variables")
        others = [name for name in families if name != entry]
        notes = [f"{place}: the {name} variables are not looked at; name {name} to import them" for name in others]
    else:
        notes = []
    found = _from_url_variable(environ, entry) if environ.get(entry) else _from_family(environ, entry.upper(), place)
    found.notes[:0] = notes
    return found


def from_dotenv(path: Path, entry: str | None, environ: Mapping[str, str]) -> tuple[Found, Mapping[str, str]]:
    """Read an environment file, and return its variables too.

    Args:
        path: The file: `NAME=value` lines, quoted as in a shell or not; `${NAME}` is filled in.
        entry: As of `from_variables`.
        environ: Where a `${NAME}` is looked up that the file does not set.

    Raises:
        ConfigError: It can't be read, or there is nothing in it to connect by.
    """
    variables = variables_in(path, environ)
    found = from_variables(variables, entry, str(path))
    read_later = [found.values[key] for key in ("password_env", "url") if key in found.values]
    how = "name it as env_file in the profile file, or export"
    found.notes += [f"{path} is not read when the profile is used: {how} {name.strip('${}')}" for name in read_later]
    return found, variables


def _from_url_variable(environ: Mapping[str, str], variable: str) -> Found:
    try:
        found = from_url(environ[variable], variable)
        if "password" in split_url(environ[variable]) and split_url(environ[variable])["driver"] not in _DRIVERS:
            note = f"{variable} is read when the profile is used: its password is only there"
            return Found(values={"url": f"${{{variable}}}"}, notes=[note])
        return found
    except ConfigError as error:
        raise ConfigError(f"{variable}: {error.message}", error.hint) from None


def _from_family(environ: Mapping[str, str], family: str, place: str) -> Found:
    parts = _family(environ, family)
    if not parts:
        raise ConfigError(f"{place}: there is no variable {family}, nor any {family}_HOST or {family}_NAME")
    found = Found()
    for key, variable in parts.items():
        if key == "password":
            found.values["password_env"] = variable
        else:
            found.take(key, environ[variable], variable)
    if "driver" not in found.values:
        if not (driver := _FAMILIES.get(family)):
            raise ConfigError(
                f"{place}: {family}_ENGINE is not there", "set it to postgresql, mysql, mariadb or sqlite"
            )
        found.values = {"driver": driver, **found.values}
    if found.values["driver"] == "sqlite":
        found.values = {key: value for key, value in found.values.items() if key in {"driver", "database"}}
    named = set(parts.values())
    for variable in sorted(environ):
        if (
            variable.startswith(family if family == "PG" else f"{family}_")
            and variable not in named
            and environ[variable]
        ):
            found.skip(f"{place}: {variable}")
    return found.completed()


def _family(environ: Mapping[str, str], family: str) -> dict[str, str]:
    """Return by dotted key which variable of a family says it."""
    separator = "" if family == "PG" else "_"
    found: dict[str, str] = {}
    for suffix, key in _VARIABLES.items():
        if environ.get(f"{family}{separator}{suffix}"):
            found.setdefault(key, f"{family}{separator}{suffix}")
    return found


def _placed(host: str, port: str) -> str:
    host = host or "localhost"
    return ":".join(filter(None, [f"[{host}]" if ":" in host else host, port]))


def _literal(text: str) -> str:
    """Write a text so that no `${VAR}` in it is filled in."""
    return re.sub(r"\$\$?\{\w+\}", lambda match: f"${match[0]}", text)
