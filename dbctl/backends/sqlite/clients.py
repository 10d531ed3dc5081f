"""SQLite's terminal clients, which open the file themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from dbctl.backends.clients import Client, Opening, Start
from dbctl.backends.sqlite.files import refuse_missing
from dbctl.profiles.files import absolute

if TYPE_CHECKING:
    from dbctl.backends.sqlite.engine import SQLite

_LONGEST_WAIT = 2**31 - 1
"""Milliseconds, the most that SQLite can be told."""


def _sqlite3(backend: SQLite, opening: Opening) -> Start:
    """Have the session what dbctl's own have: foreign keys, and patience with a lock."""
    wait = backend.lock_patience * 1000
    patience = _LONGEST_WAIT if math.isinf(wait) else round(wait)
    arguments = ["-cmd", "PRAGMA foreign_keys = ON", "-cmd", f".timeout {patience}"]
    return Start([*arguments, *(["-readonly"] if opening.read_only else []), _file(backend)])


def _litecli(backend: SQLite, opening: Opening) -> Start:
    """Have a URI say that the file is only read: there is no option for it."""
    file = _file(backend)
    if opening.read_only and not file.startswith("file:") and not backend.profile.in_memory:
        file = f"file:{quote(file)}?mode=ro"
    return Start([f"--database={file}"])


def _file(backend: SQLite) -> str:
    """Return the file's path, or SQLite's own URI for it.

    Raises:
        ConnectError: It is not there, and would be created.
    """
    database = backend.profile.database or ":memory:"
    if backend.profile.in_memory:
        return ":memory:"
    if database.startswith("file:"):
        query = {key: value for key, value in backend.url_query().items() if key != "uri"}
        return f"{database}?{urlencode(query)}" if query else database
    refuse_missing(backend.profile)
    return str(absolute(database))


CLIENTS = (
    Client("litecli", "pip install litecli", _litecli, completes=True),
    Client("sqlite3", "apt install sqlite3", _sqlite3),
)
