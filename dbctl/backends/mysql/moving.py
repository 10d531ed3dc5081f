"""Giving a database's contents another database's name, as far as MySQL and MariaDB can.

Neither renames a database. RENAME TABLE moves tables, all of them in one statement; views, triggers, routines and
events don't move, and are made anew after it. https://dev.mysql.com/doc/refman/8.4/en/rename-table.html
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dbctl.backends.backups import Loosened
from dbctl.backends.mysql.parts import Part, Quote, defaults_of, drop, make, parts_of, why
from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = logging.getLogger("dbctl")

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
_REFERRING = """
SELECT DISTINCT table_schema, table_name, constraint_name, referenced_table_schema
FROM information_schema.key_column_usage WHERE referenced_table_schema = %(name)s ORDER BY 1, 2, 3
"""
_ALIKE = """
SELECT schema_name FROM information_schema.schemata
WHERE lower(schema_name) = lower(%(name)s) AND binary schema_name <> binary %(name)s
"""
_LIKE = (
    "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
    " WHERE schema_name = database()"
)


def refuse_unmovable(connection: Connection, where: str, name: str) -> None:
    """Do nothing where a database can come in the place of what has a name, or get that of none.

    Args:
        connection: A connection.
        where: What its server is called.
        name: The name.

    Raises:
        WorkRefused: Foreign keys of other databases would go on to refer to the tables that are moved away; or
            MariaDB would take the foreign keys' names for those of a database whose name differs in case alone.
    """
    folded = str.lower if connection.exec_driver_sql("SELECT @@lower_case_table_names").scalar() else str
    found = connection.exec_driver_sql(_REFERRING, {"name": name}).all()
    keys = [
        f"{key} of {database}.{table}"
        for database, table, key, referred in found
        if folded(referred) == folded(name) != folded(database)
    ]
    if keys:
        raise WorkRefused(
            f"{where}: foreign keys of other databases refer to {name}, and would follow its old tables:"
            f" {', '.join(keys)}",
            "drop them, and add them again after it",
        )
    alike = list(connection.exec_driver_sql(_ALIKE, {"name": name}).scalars())
    if alike and folded is str and connection.dialect.is_mariadb:  # type: ignore[attr-defined]
        raise WorkRefused(
            f"{where}: {alike[0]} is there, from which {name} differs in case alone: MariaDB takes their foreign keys"
            " for the same",
            "take another name",
        )


def move(
    connection: Connection, quote: Quote, new: str, name: str, old: str | None, enabled: Collection[str] = ()
) -> None:
    """Move a new database's contents to a name, and those that were there to another one.

    Args:
        connection: A connection on which each statement commits.
        quote: Quotes a name.
        new: The new database, of which an empty one stays.
        name: Where its contents go.
        old: Where those go that are there; None where none is.
        enabled: The names of the new one's events that are enabled there.

    Raises:
        WorkRefused: Something can't be made anew, which is told; the tables are where they were, or swapped.
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
        lost = [told for one, _ in contents for told in _told(one.make_parts(one.database), one.database)]
        if getattr(error, "connection_invalidated", False):
            if lost:
                _log.warning("the connection was lost, and this is not made anew: %s", "; ".join(lost))
            raise
        _drop_empty(connection, quote, made)
        if lost:
            said = f"the tables of {name} are as they were, and this is not made anew: {'; '.join(lost)}"
            raise WorkRefused(said) from error
        raise
    lost = list(_told(source.make_parts(name, enabled), name))
    if old is not None:
        _make_old(contents[0][0], old)
    if lost:
        raise WorkRefused(f"the tables of {name} are those of the backup, and this is not made anew: {'; '.join(lost)}")


def _make_old(contents: _Contents, old: str) -> None:
    """Make anew what was in the one before; what can't be, such as a view of what is not there, is told as it was."""
    if contents.have_events:
        _log.info("the events in %s are disabled, lest they run in both", old)
    for part, said in contents.make_parts(old, disabled=True).items():
        _log.warning("%s in %s is not made anew: %s; it was: %s", part, old, said, part.statement)


def _told(refused: Mapping[Part, str], database: str) -> Iterator[str]:
    return (f"{part} ({said}) in {database}" for part, said in refused.items())


def loosened(connection: Connection, quote: Quote, database: str) -> Iterator[Loosened]:
    """Drop a database's foreign keys that refer to tables which are not in it, and yield each.

    Defaults by a sequence stay, and are told: they name the database that has it.

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
    for part in defaults_of(connection, quote):
        _log.warning("the default of %s goes by a sequence that is not restored: %s", part.name, part.statement)


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
    refused = [f"{part} is not made ({said})" for part, said in contents.make_parts(target).items()]
    for key in () if refused else keys:
        try:
            connection.exec_driver_sql(f"ALTER TABLE {quote(key.table)} ADD {key.definition}")
        except SQLAlchemyError as error:
            refused.append(f"{key.table} can't have its foreign key {key.name}: {why(error)}")
    if refused:
        try:
            connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
            connection.exec_driver_sql(f"DROP TABLE {contents.listed(target)}")
        except SQLAlchemyError as error:
            said = f"{'; '.join(refused)}; the tables are there all the same: {why(error)}"
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
        self._tables = list(connection.exec_driver_sql(_TABLES).scalars())
        self._parts = list(parts_of(connection, quote, database, self._tables))
        self._defaults = list(defaults_of(connection, quote, database))
        self._dropped: list[Part] = []

    def _use(self, database: str) -> None:
        self._connection.exec_driver_sql(f"USE {self._quote(database)}")

    @property
    def have_events(self) -> bool:
        """Whether there are events that do something."""
        return any(part != part.in_state("DISABLE") for part in self._parts)

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
            drop(self._connection, self._quote, part)
            self._dropped.append(part)

    def make_parts(self, database: str, enabled: Collection[str] = (), *, disabled: bool = False) -> Mapping[Part, str]:
        """Make anew what was dropped, and return what can't be and why.

        Args:
            database: Where: elsewhere the tables' defaults name its sequences then.
            enabled: The names of events that are enabled there.
            disabled: Whether all events are disabled.
        """
        parts = [part.in_state("ENABLE") if part.name in enabled else part for part in self._dropped]
        parts = [part.in_state("DISABLE") for part in parts] if disabled else parts
        defaults = [] if database == self.database else self._defaults
        return make(self._connection, self._quote, database, [*defaults, *parts])
