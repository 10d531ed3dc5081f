"""Giving a database's contents another database's name, as far as MySQL and MariaDB can.

Neither renames a database. RENAME TABLE moves tables, all of them in one statement; views, triggers, routines and
events don't move, and are made anew after it. https://dev.mysql.com/doc/refman/8.4/en/rename-table.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbctl.backends.backups import Loosened
from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.exc import SQLAlchemyError

_log = logging.getLogger("dbctl")

Quote = Callable[[str], str]

_NAMES = {
    "TRIGGER": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()"
    " ORDER BY event_object_table, action_timing, event_manipulation, action_order",
    "FUNCTION": "SELECT routine_name FROM information_schema.routines"
    " WHERE routine_schema = database() AND routine_type = 'FUNCTION'",
    "PROCEDURE": "SELECT routine_name FROM information_schema.routines"
    " WHERE routine_schema = database() AND routine_type = 'PROCEDURE'",
    "EVENT": "SELECT event_name FROM information_schema.events WHERE event_schema = database()",
    "VIEW": "SELECT table_name FROM information_schema.views WHERE table_schema = database()",
}
_TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type <> 'VIEW'"
    " ORDER BY table_name"
)
_DANGLING = """
SELECT DISTINCT table_name, constraint_name FROM information_schema.key_column_usage k
WHERE table_schema = database() AND referenced_table_schema = database() AND NOT EXISTS (
    SELECT 1 FROM information_schema.tables t
    WHERE t.table_schema = database() AND t.table_name = k.referenced_table_name)
ORDER BY table_name, constraint_name
"""
_LIKE = (
    "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
    " WHERE schema_name = database()"
)


@dataclass(frozen=True)
class Part:
    """What does not move: its kind, its name, the statement that makes it and the sql_mode that it was made in."""

    kind: str
    name: str
    statement: str
    mode: str | None


def move(connection: Connection, quote: Quote, new: str, name: str, old: str | None) -> None:
    """Move a new database's contents to a name, and those that were there to another one.

    Args:
        connection: A connection on which each statement commits.
        quote: Quotes a name.
        new: The new database, of which an empty one stays.
        name: Where its contents go.
        old: Where those go that are there; None where none is.
    """
    source = _Contents(connection, quote, new)
    contents = [(source, name)]
    like, made = (new, name) if old is None else (name, old)
    _make_like(connection, quote, like, made)
    if old is not None:
        contents.insert(0, (_Contents(connection, quote, name), old))
        _log.info(
            "the tables of %s are swapped in one statement; its views, triggers, routines and events are made anew"
            " after it",
            name,
        )
    moves = [move for one, target in contents for move in one.moves(target)]
    try:
        for one, _ in contents:
            one.drop_parts()
        if moves:
            connection.exec_driver_sql(f"RENAME TABLE {', '.join(moves)}")
    except Exception as error:
        lost = [f"{part} in {one.database}" for one, _ in contents for part in one.make_parts(one.database)]
        if getattr(error, "connection_invalidated", False):
            if lost:
                _log.warning("the connection was lost, and this is not made anew: %s", "; ".join(lost))
            raise
        _drop_empty(connection, quote, made)
        if lost:
            said = f"the tables of {name} are as they were, and this is not made anew: {'; '.join(lost)}"
            raise WorkRefused(said) from error
        raise
    lost = [f"{part} in {target}" for one, target in contents for part in one.make_parts(target)]
    if lost:
        raise WorkRefused(f"the tables of {name} are those of the backup, and this is not made anew: {'; '.join(lost)}")


def loosened(connection: Connection, quote: Quote, database: str) -> Iterator[Loosened]:
    """Drop a database's foreign keys that refer to tables which are not in it, and yield each.

    Args:
        connection: A connection on which each statement commits.
        quote: Quotes a name.
        database: The database.
    """
    connection.exec_driver_sql(f"USE {quote(database)}")
    for table, name in connection.exec_driver_sql(_DANGLING).all():
        statement = connection.exec_driver_sql(f"SHOW CREATE TABLE {quote(table)}").one()[1]
        beginning = f"CONSTRAINT {quote(name)} FOREIGN KEY "
        definition = next(line.strip() for line in statement.splitlines() if line.strip().startswith(beginning))
        connection.exec_driver_sql(f"ALTER TABLE {quote(table)} DROP FOREIGN KEY {quote(name)}")
        yield Loosened(table, name, definition.removesuffix(","))


def bring(connection: Connection, quote: Quote, source: str, target: str, keys: Sequence[Loosened]) -> None:
    """Move all tables of a database into another one that has none of their names, with their triggers.

    Args:
        connection: A connection on which each statement commits.
        quote: Quotes a name.
        source: The database that has them.
        target: The database that they come into.
        keys: The foreign keys that they get there.

    Raises:
        WorkRefused: They can't be made there; no table is.
    """
    from sqlalchemy.exc import SQLAlchemyError

    contents = _Contents(connection, quote, source)
    contents.drop_parts()
    connection.exec_driver_sql(f"RENAME TABLE {', '.join(contents.moves(target))}")
    refused = [f"{part} is not made" for part in contents.make_parts(target)]
    for key in () if refused else keys:
        try:
            connection.exec_driver_sql(f"ALTER TABLE {quote(key.table)} ADD {key.definition}")
        except SQLAlchemyError as error:
            refused.append(f"{key.table} can't have its foreign key {key.name}: {_why(error)}")
    if refused:
        try:
            connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
            connection.exec_driver_sql(f"DROP TABLE {contents.listed(target)}")
        except SQLAlchemyError as error:
            said = f"{'; '.join(refused)}; the tables are there all the same: {_why(error)}"
            raise WorkRefused(said, "drop them before you run it again") from error
        raise WorkRefused(f"{'; '.join(refused)}: nothing is restored", "restore it into a new database")


def _make_like(connection: Connection, quote: Quote, database: str, name: str) -> None:
    connection.exec_driver_sql(f"USE {quote(database)}")
    encoding, collation = connection.exec_driver_sql(_LIKE).one()
    connection.exec_driver_sql(f"CREATE DATABASE {quote(name)} CHARACTER SET {encoding} COLLATE {collation}")


def _drop_empty(connection: Connection, quote: Quote, database: str) -> None:
    connection.exec_driver_sql(f"USE {quote(database)}")
    if not connection.exec_driver_sql(_TABLES).all():
        connection.exec_driver_sql(f"DROP DATABASE {quote(database)}")


class _Contents:
    """A database's tables, and what it has besides."""

    def __init__(self, connection: Connection, quote: Quote, database: str) -> None:
        self._connection, self._quote, self.database = connection, quote, database
        self._use(database)
        self._tables = list(self._scalars(_TABLES))
        self._parts = list(self._read())
        self._dropped: list[Part] = []

    def _use(self, database: str) -> None:
        self._connection.exec_driver_sql(f"USE {self._quote(database)}")

    def _scalars(self, query: str) -> Sequence[Any]:
        return self._connection.exec_driver_sql(query).scalars().all()

    def _read(self) -> Iterator[Part]:
        """Yield what does not move."""
        for kind, query in _NAMES.items():
            for name in self._scalars(query):
                row = self._connection.exec_driver_sql(f"SHOW CREATE {kind} {self._quote(name)}").one()
                place = {"VIEW": 1, "EVENT": 3}.get(kind, 2)
                if kind == "VIEW":
                    yield Part(kind, name, self._without_place(row[place]), None)
                else:
                    yield Part(kind, name, row[place], row[1])

    def _without_place(self, statement: str) -> str:
        """Return a view's statement without the database's name, which MariaDB tells also in its own.

        Where a table is called as the database is, the one can't be told from the other.
        """
        if self.database in {*self._tables, *self._scalars(_NAMES["VIEW"])}:
            return statement
        return statement.replace(f"{self._quote(self.database)}.", "")

    def moves(self, target: str) -> Iterator[str]:
        """Yield what RENAME TABLE is told."""
        for table in self._tables:
            name = self._quote(table)
            yield f"{self._quote(self.database)}.{name} TO {self._quote(target)}.{name}"

    def listed(self, target: str) -> str:
        """Return the tables' names in another database, as a statement has them."""
        return ", ".join(f"{self._quote(target)}.{self._quote(table)}" for table in self._tables)

    def drop_parts(self) -> None:
        """Drop what does not move: no table moves that has a trigger."""
        self._use(self.database)
        for part in self._parts:
            self._connection.exec_driver_sql(f"DROP {part.kind} {self._quote(part.name)}")
            self._dropped.append(part)

    def make_parts(self, database: str) -> Sequence[str]:
        """Make anew what was dropped, and return what can't be and why; a view that needs another one waits for it."""
        from sqlalchemy.exc import SQLAlchemyError

        waiting = list(self._dropped)
        try:
            self._use(database)
            mode = self._connection.exec_driver_sql("SELECT @@sql_mode").scalar_one()
        except SQLAlchemyError as error:
            return [f"{part.kind} {part.name} ({_why(error)})" for part in waiting]
        try:
            while waiting:
                left = {part: why for part in waiting if (why := self._refused(part, mode))}
                if len(left) == len(waiting):
                    return [f"{part.kind} {part.name} ({why})" for part, why in left.items()]
                waiting = list(left)
            return []
        finally:
            with suppress(SQLAlchemyError):
                self._connection.exec_driver_sql(f"SET SESSION sql_mode = '{mode}'")

    def _refused(self, part: Part, mode: str) -> str:
        """Make a part, and return why the server does not; "" where it does."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._make(part, mode)
        except SQLAlchemyError as error:
            return _why(error)
        return ""

    def _make(self, part: Part, mode: str) -> None:
        self._connection.exec_driver_sql(f"SET SESSION sql_mode = '{mode if part.mode is None else part.mode}'")
        self._connection.exec_driver_sql(part.statement)


def _why(error: SQLAlchemyError) -> str:
    """Return what the server says; a connection that was lost before has SQLAlchemy ask nothing more of it."""
    return str(getattr(error, "orig", "the connection was lost"))
