"""Single statements on PostgreSQL: which of them a cursor can be declared for, and values that Python has no word for.

https://www.postgresql.org/docs/current/sql-declare.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.postgresql.scripts import PostgreSQLScripts
from dbctl.backends.queries import Queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

_QUERY = re.compile(r"[\s(]*(?:SELECT|VALUES|TABLE|WITH)\b", re.IGNORECASE)
_NO_QUERY = re.compile(r"\b(?:INTO|UPDATE|DELETE\s+FROM)\b", re.IGNORECASE)

_DATE, _DATES, _TIMESTAMP, _TIMESTAMPS = 1082, 1182, 1114, 1115
_TIME, _TIMES = 1083, 1183
_TIMESTAMPTZ, _TIMESTAMPTZS, _INTERVAL, _INTERVALS = 1184, 1185, 1186, 1187
"""OIDs of types and of their arrays (pg_type.dat)."""


class PostgreSQLQueries(PostgreSQLScripts, Queries):
    """How PostgreSQL runs single statements."""

    # In English: a server of another language words them otherwise, and what is not known to be harmless is a warning.
    harmless_words: ClassVar[tuple[str, ...]] = ("NOTICE:", "INFO:", "LOG:", "DEBUG:")

    def can_stream(self, statement: str) -> bool:
        """Look for what may stand behind DECLARE … CURSOR FOR: a query that writes nothing."""
        code = self.code(statement)
        return bool(_QUERY.match(code)) and not _NO_QUERY.search(code)

    @contextmanager
    def as_they_are(self, connection: Connection) -> Iterator[None]:
        """Take the server's own text of intervals, whose months psycopg2 would make days, and of infinite dates.

        What the server says psycopg2 appends to a list, which SQLAlchemy would empty.
        """
        driver_connection: Any = connection.connection.driver_connection
        notices, types = driver_connection.notices, dict(driver_connection.string_types)
        driver_connection.notices = _Said()
        _register(driver_connection)
        try:
            yield
        finally:
            driver_connection.notices = notices
            driver_connection.string_types.clear()
            driver_connection.string_types.update(types)

    def said(self, connection: Connection) -> Sequence[str]:
        """Take what the server has said by now."""
        driver_connection: Any = connection.connection.driver_connection
        heard: list[str] = getattr(driver_connection.notices, "heard", [])
        found = [" ".join(text.split()) for text in heard]
        heard.clear()
        return found

    def explaining(self, connection: Connection, *, analyze: bool) -> str:
        """Ask for the buffers too where it is run."""
        return "EXPLAIN (ANALYZE, BUFFERS) " if analyze else "EXPLAIN "

    def sent_offset(self, error: BaseException, text: str) -> int:
        """Count from behind DECLARE … CURSOR FOR, where psycopg2 has put that before it."""
        sent = getattr(getattr(error, "cursor", None), "query", None)
        before = len(sent.decode(errors="replace")) - len(text) if sent else 0
        return max(0, super().sent_offset(error, text) - max(0, before))


class _Said:
    """Where psycopg2 appends what the server says. It is empty to SQLAlchemy, which would empty it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __bool__(self) -> bool:
        return False

    def append(self, text: str) -> None:
        self.heard.append(text)


def _register(driver_connection: Any) -> None:
    from psycopg2 import extensions as psycopg2

    def text_of(value: str | None, _cursor: Any) -> str | None:
        return value

    readers: Sequence[tuple[int, int, str, Any]] = (
        (_INTERVAL, _INTERVALS, "dbctl interval", text_of),
        (_DATE, _DATES, "dbctl date", _or_text(psycopg2.PYDATE)),
        (_TIME, _TIMES, "dbctl time", _or_text(psycopg2.PYTIME)),
        (_TIMESTAMP, _TIMESTAMPS, "dbctl timestamp", _or_text(psycopg2.PYDATETIME)),
        (_TIMESTAMPTZ, _TIMESTAMPTZS, "dbctl timestamptz", _or_text(psycopg2.PYDATETIMETZ)),
    )
    for oid, array, name, read in readers:
        one: Any = psycopg2.new_type((oid,), name, read)
        psycopg2.register_type(one, driver_connection)
        psycopg2.register_type(psycopg2.new_array_type((array,), f"{name} array", one), driver_connection)


def _or_text(read: Any) -> Callable[[str | None, Any], Any]:
    """Return what reads a date or a time, or leaves it as text where Python has none: infinity, 44 BC, 24:00."""

    from psycopg2 import Error

    def convert(value: str | None, cursor: Any) -> Any:
        if value is None or value.endswith(("infinity", "BC")) or value.startswith("24:"):
            return value
        try:
            return read(value, cursor)
        except (Error, ValueError, OverflowError):  # Python has no such day or hour, and the text is no less true
            return value

    return convert
