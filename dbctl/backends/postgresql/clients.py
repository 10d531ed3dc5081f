"""PostgreSQL's terminal clients: libpq's variables tell both of them all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dbctl.backends.clients import NO_KEYRING, Client, Opening, Start

if TYPE_CHECKING:
    from dbctl.backends.postgresql.programs import PostgreSQLPrograms

_READ_ONLY = "-c default_transaction_read_only=on"


def _environment(backend: PostgreSQLPrograms, opening: Opening) -> dict[str, str]:
    found = dict(backend.client_environment(opening.directory))
    if opening.read_only:
        found["PGOPTIONS"] = " ".join(filter(None, [found.get("PGOPTIONS"), _READ_ONLY]))
    return found


def _psql(backend: PostgreSQLPrograms, opening: Opening) -> Start:
    return Start(environment=_environment(backend, opening))


def _pgcli(backend: PostgreSQLPrograms, opening: Opening) -> Start:
    """Tell several ports by a connection string: pgcli takes PGPORT for its own option, which is one number.

    Else by none: Debian's pgcli 3.5 fails on one.
    """
    environment = _environment(backend, opening) | NO_KEYRING
    if "," not in environment["PGPORT"]:
        return Start(environment=environment)
    place: Mapping[str, str] = {"host": environment.pop("PGHOST"), "port": environment.pop("PGPORT")}
    return Start([" ".join(f"{key}={_quoted(value)}" for key, value in place.items())], environment)


def _quoted(value: str) -> str:
    escaped = re.sub(r"([\\'])", r"\\\1", value)
    return f"'{escaped}'"


CLIENTS = (
    # DSN names an entry of pgcli's own configuration, which would lead elsewhere.
    Client("pgcli", "pip install pgcli", _pgcli, completes=True, variables=("DSN",)),
    Client("psql", "apt install postgresql-client", _psql),
)
