"""What RENAME TABLE does not move: views, triggers, routines, events and the sequences of defaults, made anew after it.

Each is read with the session's settings that it was made by, and is made by them again, as mysqldump does it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

Quote = Callable[[str], str]

_NAMES = {
    "TRIGGER": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()"
    " ORDER BY event_object_table, action_timing, event_manipulation, action_order",
    **{
        kind: "SELECT routine_name FROM information_schema.routines"
        f" WHERE routine_schema = database() AND routine_type = '{kind}'"
        for kind in ("FUNCTION", "PROCEDURE", "PACKAGE BODY", "PACKAGE")
    },
    "LIBRARY": "SELECT library_name FROM information_schema.libraries WHERE library_schema = database()",
    "EVENT": "SELECT event_name FROM information_schema.events WHERE event_schema = database()",
    "VIEW": "SELECT table_name FROM information_schema.views WHERE table_schema = database()",
}
_LIBRARIES_SINCE = (9, 2)
"""The first MySQL that has them: https://dev.mysql.com/doc/refman/9.2/en/create-library.html"""

_MADE_BY = ("sql_mode", "time_zone", "character_set_client", "collation_connection")
"""The settings that SHOW CREATE tells, and CREATE takes from the session."""

_DEFAULTS = """
SELECT table_name, column_name, column_default FROM information_schema.columns
WHERE table_schema = database() AND column_default LIKE '%%val(`%%' AND instr(column_default, %(place)s)
"""
_KEEPING_HISTORY = (("system_versioning_alter_history", "KEEP"),)

_NAMED = r"(?:`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\")"
_EVENT = re.compile(
    rf"(CREATE (?:DEFINER={_NAMED}@{_NAMED} )?EVENT {_NAMED} ON SCHEDULE .*? ON COMPLETION (?:NOT )?PRESERVE)"
    r" (?:ENABLE|DISABLE) ",
    re.DOTALL,
)
_USING = re.compile(r"\n    USING \([^\n]*\)\nAS ")
"""A routine's libraries, which it names with their database."""
_TOKEN = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`]|``)*`\.?", re.DOTALL)


@record
class Part:
    """What does not move.

    Args:
        kind: As DROP and SHOW CREATE call it; DEFAULT of a column's.
        name: Its name.
        statement: What makes it.
        settings: The session's variables that it was made by, and their values.
        collation: The database's at that time.
    """

    kind: str
    name: str
    statement: str
    settings: Sequence[tuple[str, str]] = ()
    collation: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def in_state(self, state: str) -> Part:
        """Return an event that is in another state, ENABLE or DISABLE; any other part as it is."""
        return replace(self, statement=_EVENT.sub(rf"\1 {state} ", self.statement)) if self.kind == "EVENT" else self


def parts_of(connection: Connection, quote: Quote, database: str, tables: Sequence[str]) -> Iterator[Part]:
    """Yield what does not move of a database, which is in use.

    Args:
        connection: A connection.
        quote: Quotes a name.
        database: The database.
        tables: Its tables.
    """
    dialect: Any = connection.dialect
    libraries = not dialect.is_mariadb and dialect.server_version_info >= _LIBRARIES_SINCE
    for kind, query in _NAMES.items():
        if kind == "LIBRARY" and not libraries:
            continue
        names = list(connection.exec_driver_sql(query).scalars())
        for name in names:
            row = connection.exec_driver_sql(f"SHOW CREATE {kind} {quote(name)}").mappings().one()
            told = {key.lower(): value for key, value in row.items()}
            original = told.get("sql original statement")
            statement = told[f"create {kind.lower()}"] if original is None else original
            if kind == "VIEW" and database not in {*tables, *names}:  # which then can't be told from it
                statement = without_place(statement, quote(database))
            statement = _USING.sub(lambda found: without_place(found[0], quote(database)), statement, count=1)
            settings = tuple((key, told[key]) for key in _MADE_BY if key in told)
            yield Part(kind, name, statement, settings, told.get("database collation"))


def defaults_of(connection: Connection, quote: Quote, database: str | None = None) -> Iterator[Part]:
    """Yield MariaDB's defaults by a sequence in the database that is in use, each by that of where it is made.

    Args:
        connection: A connection.
        quote: Quotes a name.
        database: The database of the sequences, which a default names wherever its table is; any if None.
    """
    if not connection.dialect.is_mariadb:  # type: ignore[attr-defined]
        return
    place = "" if database is None else f"{quote(database)}."
    for table, column, default in connection.exec_driver_sql(_DEFAULTS, {"place": place}).all():
        said = f"SET DEFAULT {without_place(default, place.removesuffix('.'))}"
        statement = f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} {said}"
        yield Part("DEFAULT", f"{table}.{column}", statement, _KEEPING_HISTORY)


def without_place(statement: str, place: str) -> str:
    """Return a statement without a database's quoted name before those of what is in it; strings are left as they are.

    MariaDB tells it also where the database is in use.
    """
    return _TOKEN.sub(lambda found: "" if found[0] == f"{place}." else found[0], statement)


def drop(connection: Connection, quote: Quote, part: Part) -> None:
    """Drop a part of the database that is in use; older MariaDBs know packages only where Oracle's SQL is read."""
    own = connection.exec_driver_sql("SELECT @@sql_mode").scalar() if part.kind.startswith("PACKAGE") else None
    if own is not None:
        connection.exec_driver_sql("SET SESSION sql_mode = 'ORACLE'")
    try:
        connection.exec_driver_sql(f"DROP {part.kind} {quote(part.name)}")
    finally:
        if own is not None:
            connection.exec_driver_sql(f"SET SESSION sql_mode = '{own}'")


def make(connection: Connection, quote: Quote, database: str, parts: Sequence[Part]) -> Mapping[Part, str]:
    """Make parts in a database, one that needs another after that; return those that can't be, and why.

    Args:
        connection: A connection on which each statement commits.
        quote: Quotes a name.
        database: The database.
        parts: The parts.
    """
    from sqlalchemy.exc import SQLAlchemyError

    waiting = list(parts)
    try:
        connection.exec_driver_sql(f"USE {quote(database)}")
        maker = _Maker(connection, quote, database, waiting)
    except SQLAlchemyError as error:
        return dict.fromkeys(waiting, why(error))
    while waiting:
        left = {part: said for part in waiting if (said := maker.refused(part))}
        if len(left) == len(waiting):
            return left
        waiting = list(left)
    return {}


class _Maker:
    """Makes parts by the settings that each was made by, and sets the session's own again."""

    def __init__(self, connection: Connection, quote: Quote, database: str, parts: Sequence[Part]) -> None:
        self._connection, self._place = connection, quote(database)
        names = sorted({"collation_database", *(key for part in parts for key, _ in part.settings)})
        found = connection.exec_driver_sql(f"SELECT {', '.join(f'@@{name}' for name in names)}").one()
        self._own: dict[str, str] = dict(zip(names, found, strict=True))
        self._collation = self._own.pop("collation_database")

    def refused(self, part: Part) -> str:
        """Make a part, and return why the server does not; "" where it does."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._made_by(part):
                self._connection.exec_driver_sql(part.statement)
        except (SQLAlchemyError, UnicodeError) as error:
            return why(error)
        return ""

    @contextmanager
    def _made_by(self, part: Part) -> Iterator[None]:
        from sqlalchemy.exc import SQLAlchemyError

        others = {key: value for key, value in part.settings if value != self._own[key]}
        collation = part.collation or self._collation
        driver: Any = self._connection.connection.driver_connection
        encoding = driver.encoding
        try:
            if collation != self._collation:
                self._connection.exec_driver_sql(f"ALTER DATABASE {self._place} COLLATE {collation}")
            self._set(others)
            driver.encoding = _encoding_of(others.get("character_set_client")) or encoding
            yield
        finally:
            driver.encoding = encoding
            with suppress(SQLAlchemyError):
                self._set({key: self._own[key] for key in others})
                if collation != self._collation:
                    self._connection.exec_driver_sql(f"ALTER DATABASE {self._place} COLLATE {self._collation}")

    def _set(self, values: Mapping[str, str]) -> None:
        if values:
            said = ", ".join(f"{name} = '{value}'" for name, value in values.items())
            self._connection.exec_driver_sql(f"SET SESSION {said}")


def _encoding_of(charset: str | None) -> str | None:
    """Return Python's name for a character set in which the server takes a statement; None for the session's own."""
    from pymysql.charset import charset_by_name

    return None if charset is None or charset.startswith("utf8") else charset_by_name(charset).encoding


def why(error: Exception) -> str:
    """Return what the server says; a connection that was lost before has SQLAlchemy ask nothing more of it."""
    return str(getattr(error, "orig", error if isinstance(error, UnicodeError) else "the connection was lost"))
