"""Creating those of a service's tables that are missing, and dropping those that are there.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dbctl.backends.compiled import undoubled
from dbctl.backends.relations import TABLE
from dbctl.connections.connector import Connector
from dbctl.errors import CheckFailed, DbctlError, Remedy, WorkRefused
from dbctl.records import record
from dbctl.results import PlainText
from dbctl.tables.catalog import Catalog, Gap, in_order
from dbctl.tables.dropping import drop, drop_in_batches, droppable
from dbctl.tables.refusals import models_at_work, refuse_long_names, refuse_nameless_indexes
from dbctl.tables.remains import telling_of_batches, telling_what_stays
from dbctl.tables.statements import heard, refuse_what_does_not_compile, telling_of_ddl
from dbctl.work.database import Database
from dbctl.work.ddl_locks import ddl_lock

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData, Table


_log = logging.getLogger("dbctl")


@record
class TableState:
    """A table, or a part of one that is there, and whether it was `created`, `exists` or `dropped`, or is `missing`.

    What has the table's name and is none is told, as in `exists (view)`.
    """

    table: str
    state: str


@record
class Ddl(PlainText):
    """A statement that creates or drops a table."""

    sql: str

    def __str__(self) -> str:
        return f"{self.sql};\n"


def create_missing(
    database: Database, metadata: Iterable[MetaData], *, create_schemas: bool = False, force: bool = False
) -> list[TableState]:
    """Create the tables that are missing, while no other run creates or drops any.

    Of a table that is there the indexes and unique constraints that it lacks are created too, and the foreign keys
    where the database can add them. Nothing is done to what has a table's name and is none, such as a view.

    Args:
        database: Where.
        metadata: What the models define.
        create_schemas: Whether schemas that are missing are created.
        force: Whether they are created also where alembic manages the database.

    Raises:
        WorkRefused: The database refused a table. Where it commits DDL by itself `left` names what stayed. Or
            alembic manages the database: what is missing is a migration's to create.
        ConfigError: A foreign key refers to what none of the models defines.
    """
    connection = database.session.connection()
    with ddl_lock(database, connection):
        creations = [_Creation.of(database, connection, each, create_schemas) for each in metadata]
        for creation in creations:
            if not force:
                creation.refuse_migrated()
            creation.refuse_what_can_not_be()
        with telling_what_stays(connection, database.backend, "created"):
            return [state for creation in creations for state in creation.run()]


def drop_existing(database: Database, metadata: Iterable[MetaData], *, in_batches: bool = False) -> list[TableState]:
    """Drop those of the tables that are there, with all that is in them, while no other run creates or drops any.

    Args:
        database: Where.
        metadata: What the models define.
        in_batches: Whether it is done in transactions of their own, a hundred statements each: a database may not be
            able to keep a lock on each of very many tables.

    Raises:
        WorkRefused: The database refused it. What is gone all the same, where it commits DDL by itself or in batches
            that were done, is named by `left`.
    """
    gone: list[Table] = []
    metadata = list(metadata)
    if in_batches:
        connector: Connector[Any] = Connector(database.session.get_bind(), database.backend)
        dropped: list[str] = []
        with telling_of_batches(dropped):
            for each in metadata:
                gone += drop_in_batches(connector, each, dropped)
    else:
        connection = database.session.connection()
        with (
            ddl_lock(database, connection),
            telling_what_stays(connection, database.backend, "dropped"),
        ):
            for each in metadata:
                gone += drop(connection, database.backend, each)
    if gone and Catalog(database.session.connection(), database.backend).is_migrated():
        _log.warning(
            "alembic has this database where it was: that nothing of it is there says dbctl migrate stamp base"
        )
    tables = [table for each in metadata for table in in_order(each)]
    return [TableState(str(table), "dropped" if table in gone else "missing") for table in tables]


def check_tables(database: Database, metadata: Iterable[MetaData]) -> list[TableState]:
    """Return the state of each table where all are there, with all their indexes and constraints.

    Raises:
        CheckFailed: Some are missing; the message names them.
    """
    connection = database.session.connection()
    states: list[TableState] = []
    missing: list[tuple[str, str]] = []
    for each in metadata:
        creation = _Creation.of(database, connection, each)
        states += creation.states("missing")
        missing += [("schemas", name) for name in creation.catalog.missing_schemas(each)]
        missing += [("tables", str(table)) for table in creation.tables]
        missing += [("parts", f"{gap.table}: {gap.what}") for gap in creation.gaps]
    if missing:
        told = [
            f"missing {kind}: {', '.join(what for _, what in some)}"
            for kind, some in groupby(sorted(missing, key=_by_kind), key=_by_kind)
        ]
        schemas = any(kind == "schemas" for kind, _ in missing)
        remedy = Remedy.CREATE_WITH_SCHEMAS if schemas else Remedy.CREATE_MISSING
        raise CheckFailed("; ".join(told), states, "" if database.profile.in_memory else remedy)
    return states


def ddl_of_missing(database: Database, metadata: Iterable[MetaData], *, create_schemas: bool = False) -> list[Ddl]:
    """Return the statements that would create what is missing, in the database's own dialect.

    Where DDL can be rolled back they have also been run, so that what the database refuses is known.
    """
    connection = database.session.connection()
    statements: list[Ddl] = []
    with ddl_lock(database, connection):
        creations = [_Creation.of(database, connection, each, create_schemas) for each in metadata]
        for creation in creations:
            creation.refuse_what_can_not_be()
        for creation in creations:
            statements += _said(database, connection, creation.run, creation.apply_to)
    return statements


def ddl_of_existing(database: Database, metadata: Iterable[MetaData], *, in_batches: bool = False) -> list[Ddl]:
    """Return the statements that would drop those of the tables that are there, as `ddl_of_missing` does.

    Those that would be run in batches are not run here, in one.
    """
    connection = database.session.connection()
    statements: list[Ddl] = []
    with ddl_lock(database, connection):
        for each in metadata:
            with droppable(connection, database.backend, each) as tables:
                say = partial(each.drop_all, tables=tables, checkfirst=False)
                statements += _said(
                    database, connection, partial(drop, connection, database.backend, each), say, runs=not in_batches
                )
    return statements


def _by_kind(missing: tuple[str, str]) -> str:
    return missing[0]


@record
class _Creation:
    """What is to be created of one metadata."""

    database: Database
    connection: Connection
    metadata: MetaData
    catalog: Catalog
    tables: Sequence[Table]
    gaps: Sequence[Gap]
    schemas: Sequence[str]

    @classmethod
    def of(
        cls, database: Database, connection: Connection, metadata: MetaData, create_schemas: bool = False
    ) -> _Creation:
        catalog = Catalog(connection, database.backend)
        order = in_order(metadata)
        missing = [table for table in order if catalog.kind(table) is None]
        schemas = list(catalog.missing_schemas(metadata)) if create_schemas else []
        return cls(database, connection, metadata, catalog, missing, list(catalog.gaps(order)), schemas)

    def refuse_migrated(self) -> None:
        """Refuse to create what a migration is to create."""
        missing = [*map(str, self.tables), *(f"{gap.table}: {gap.what}" for gap in self.gaps)]
        if missing and self.catalog.is_migrated():
            raise WorkRefused(f"alembic manages this database, and lacks {', '.join(missing)}", Remedy.MIGRATE)

    def refuse_what_can_not_be(self) -> None:
        """Refuse what this database can't have, before anything is created."""
        dialect = self.connection.dialect
        refuse_long_names(self.tables, dialect)
        refuse_nameless_indexes(self.metadata.tables.values())
        with models_at_work(self.tables, dialect):
            title = self.database.backend.server_title(self.connection)
            refuse_what_does_not_compile(self.tables, dialect, title)

    def run(self) -> list[TableState]:
        backend, connection = self.database.backend, self.connection
        away = {} if self.schemas else self.catalog.missing_schemas(self.metadata)
        try:
            with telling_of_ddl(connection, backend):
                self.apply_to(connection)
        except DbctlError as error:
            for name, table in away.items():
                message = f"table {table} names schema {name}, which is not there"
                if isinstance(error, WorkRefused):
                    raise WorkRefused(message, "create it, or have it created with --create-schemas") from error
            raise
        after = Catalog(connection, backend)
        if lost := [str(table) for table in self.tables if after.kind(table) is None]:
            hint = "look for what else has its name, such as a sequence, and for a listener that drops it"
            raise WorkRefused(f"{', '.join(lost)}: not there after it was created", hint)
        return self.states("created")

    def apply_to(self, bind: Any) -> None:
        """Create it all, or have a mock of a connection say how."""
        from sqlalchemy.schema import CreateSchema

        dialect = self.connection.dialect
        with models_at_work(self.tables, dialect):
            for name in self.schemas:
                bind.execute(CreateSchema(name))
            self.metadata.create_all(bind, tables=self.tables, checkfirst=bind is self.connection)
            for gap in self.gaps:
                bind.execute(gap.statement(dialect.supports_alter))

    def states(self, changed: str) -> list[TableState]:
        """Return the state of each table, and of each part that is to be added to one."""
        states = []
        for table in in_order(self.metadata):
            kind = self.catalog.kind(table)
            there = "exists" if kind == TABLE else f"exists ({kind})"
            states.append(TableState(str(table), changed if kind is None else there))
            states += [TableState(f"{table}: {gap.what}", changed) for gap in self.gaps if gap.table is table]
        return states


def _said(
    database: Database,
    connection: Connection,
    run: Callable[[], object],
    say: Callable[[Any], object],
    *,
    runs: bool = True,
) -> list[Ddl]:
    """Return the DDL that work runs, where it can be rolled back; or else what a mock of a connection is told."""
    from sqlalchemy import create_mock_engine

    said: list[str] = []

    def collect(_cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if context is not None and context.isddl:
            said.append(statement)

    if runs and database.backend.transactional_ddl:
        with heard(connection, "before_cursor_execute", collect):
            run()
    else:
        say(
            create_mock_engine(
                database.backend.engine_url(),
                lambda statement, *_, **__: said.append(str(statement.compile(dialect=connection.dialect))),
            )
        )
    plain = [undoubled(statement, connection.dialect).strip() for statement in said]
    return [Ddl("\n".join(line.rstrip() for line in statement.splitlines())) for statement in plain]
