"""What servers of MySQL's protocol have in common that are many nodes, none of which is the primary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.audit import ServerUsage
from dbctl.backends.inventory import Relation
from dbctl.backends.lock_statements import LockStatements
from dbctl.backends.mysql.clusters import GALERA_LOCK, GROUP_LOCK
from dbctl.backends.mysql.engine import MySQL
from dbctl.errors import Unsupported, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

# A read sees what was committed before it on any node, without being told to.
LEASED_ROW = replace(GALERA_LOCK, over=GROUP_LOCK.over[-1:])

# EXPLAIN ANALYZE runs what it explains; a sequence goes on when it is read.
_READING = re.compile(r"[\s(]*(?:SELECT|TABLE|VALUES|WITH|SHOW|DESC|DESCRIBE|EXPLAIN(?!\s+ANALYZE))\b", re.IGNORECASE)
_WRITING = re.compile(
    r"\b(?:INTO|UPDATE|DELETE|INSERT|REPLACE\s+INTO|SHARE|NEXTVAL|SETVAL|NEXT\s+VALUE|GET_LOCK)\b", re.IGNORECASE
)


class ManyNodes(MySQL):
    """Such a server: what belongs to one node alone, as its locks, its processes and its numbers, is not asked for.

    A session can't be kept from writing there: what is run to read is looked at before it is sent.
    """

    unasked: ClassVar[Sequence[str]] = ("server", "cluster", "connections", "idle_transactions", "topology")
    asks_innodb = False

    def refuse_lock(self, connection: Connection) -> None:
        """Refuse none: a row excludes from wherever it is written; where it can't be, the server says so."""

    def note_server(self, connection: Any) -> None:
        """Note none: what ends a session by its number finds it, whichever node hears of it."""

    def row_lock(self, connection: Connection) -> LockStatements | None:
        """Return how a row is taken: nobody tells which session has a lock by name."""
        return LEASED_ROW

    def leads_here(self, connection: Connection, other: Connection) -> bool:
        """Refuse to tell: of a lock by name nobody tells whose it is."""
        raise Unsupported(f"{self.title}: a connection can't be asked where it leads")

    def keep_from_writing(self, connection: Connection) -> None:
        """Refuse: what is run may be anything."""
        raise Unsupported(
            f"{self.title} keeps no session from writing, so what is run to read alone might write",
            "where that is meant, run it as what writes, such as by --write",
        )

    @contextmanager
    def kept_from_writing(self, connection: Connection) -> Iterator[None]:
        """Leave it to `refuse_writing`."""
        yield

    def refuse_writing(self, statement: str) -> None:
        """Refuse what does not begin as what only reads, or has a word in it that may write."""
        code = self.code(statement)
        if not _READING.match(code) or _WRITING.search(code):
            raise WorkRefused(f"{self.title} keeps no session from writing, and this might write")

    def unknown(self, connection: Connection, relations: Sequence[Relation]) -> Iterable[str]:
        """Say that rows and sizes are estimates."""
        if any(each.has_rows for each in relations):
            yield f"rows and sizes are estimates of {self.title}'s statistics"

    def usage(self, connection: Connection) -> ServerUsage:
        """Refuse to count: each node has a limit of its own."""
        raise Unsupported(f"{self.title} tells of no limit for the connections of all its nodes")
