"""What libpq's programs, psql and pg_dump among them, are told of a connection.

https://www.postgresql.org/docs/current/libpq-envars.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

from dbctl.backends.programs import Programs, write_secret

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
    "client_encoding": "PGCLIENTENCODING",
    "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslcompression": "PGSSLCOMPRESSION",
    "sslsni": "PGSSLSNI",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
}
"""libpq's keywords, and its variables for them."""

_OTHERS = ("PGUSER", "PGDATABASE", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE")

_IN_URL = ("sslmode", "sslrootcert", "sslcert", "sslkey")


class PostgreSQLPrograms(Programs):
    """How PostgreSQL's programs are told."""

    default_port: ClassVar[int]
    schemes: ClassVar[Collection[str]] = ("postgresql", "postgres", "postgis", "pgsql")
    client_variables = (*_VARIABLES.values(), *_OTHERS)

    def program_query(self, driver: str) -> Mapping[str, str]:
        """Return libpq's words, which most take; asyncpg has one of its own."""
        ssl, args = self.profile.ssl, self.connect_args()
        socket = self._socket(args)
        if driver == "pg8000":
            return {"unix_sock": "{host}/.s.PGSQL.{port}".format(**socket)} if socket else {}
        if driver == "asyncpg":
            return socket | {"ssl": ssl.mode}
        files = {"sslrootcert": ssl.ca, "sslcert": ssl.cert, "sslkey": ssl.key}
        query = {name: str(args[name]) for name in _IN_URL if name == "sslmode" or files[name]}
        # Others than libpq know no address beside the name; they could not verify it through a tunnel either.
        place = self.place_for_programs() if ssl.mode == "verify-full" else None
        return socket | query | ({"hostaddr": place[0]} if place else {})

    def _socket(self, args: Mapping[str, Any]) -> dict[str, str]:
        """Return the directory of the server's socket, and its port, as libpq's keywords."""
        host = str(self.profile.host or args.get("host") or "")
        if not host.startswith("/"):
            return {}
        return {"host": host, "port": str(self.profile.port or args.get("port") or self.default_port)}

    def client_environment(self, directory: Path) -> Mapping[str, str]:
        """Return libpq's variables; the password is in a file."""
        args = self.connect_args()
        if place := self.place_for_programs():
            args["hostaddr"], args["port"] = place
        if self.profile.target != "any":
            args["target_session_attrs"] = self.profile.target
        found = {variable: str(args[name]) for name, variable in _VARIABLES.items() if args.get(name) not in (None, "")}
        named = {"PGUSER": self.profile.user, "PGDATABASE": self.profile.database}
        found |= {name: value for name, value in named.items() if value}
        bounds = {"statement_timeout": self.profile.statement_timeout, "lock_timeout": self.profile.lock_timeout}
        options = [f"-c {name}={round(seconds * 1000)}" for name, seconds in bounds.items() if seconds]
        if options:
            found["PGOPTIONS"] = " ".join([*filter(None, [found.get("PGOPTIONS")]), *options])
        if (password := self.password) is not None:
            escaped = re.sub(r"([\\:])", r"\\\1", password)
            found["PGPASSFILE"] = write_secret(directory / "pgpass", f"*:*:*:*:{escaped}\n")
        return found
