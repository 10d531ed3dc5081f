"""Where it is kept that a revision has been done in part: in a table beside alembic's own, which is there only then.

Where DDL commits by itself a revision is written down before its first statement, so that it is known also where this
process is killed. The table is asked for by alembic's version table and its schema, as an env.py has named them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, inspect, select
from sqlalchemy.exc import DBAPIError

from dbctl.records import record

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection, Engine

SUFFIX = "_halfway"


@record
class Halfway:
    """A revision that has been done in part.

    Attributes:
        revision: Its id.
        direction: `upgrade` or `downgrade`.
        done: How many of its statements are there for good.
        digest: What tells whether they are still those of its script.
        statement: The one that failed, as far as its first line; None where the run was cut off.
    """

    revision: str
    direction: str
    done: int = 0
    digest: str = ""
    statement: str | None = None

    def __str__(self) -> str:
        last = f"then {self.statement} failed" if self.statement else "then it was cut off"
        return f"half-way in the {self.direction} of {self.revision}: {staying(self.done)}, {last}"


def staying(done: int) -> str:
    """Say how many statements of a revision are there for good, as a sentence part."""
    return f"{done} statement of it stays" if done == 1 else f"{done} statements of it stay"


class HalfwayTable:
    """The table, on connections of its own, each statement committed at once.

    Args:
        engine: The profile's engine.
        context: alembic's context, whose version table it stands beside.
    """

    def __init__(self, engine: Engine, context: MigrationContext) -> None:
        self._engine = engine
        self._table = Table(
            f"{context.version_table}{SUFFIX}",
            MetaData(),
            Column("revision", String(255), primary_key=True),
            Column("direction", String(16), nullable=False),
            Column("done", Integer, nullable=False),
            Column("digest", String(64), nullable=False),
            Column("statement", Text),
            schema=context.version_table_schema,
        )

    @property
    def name(self) -> str:
        """The table's name."""
        return str(self._table)

    def read(self) -> Halfway | None:
        """Return what is written down, or None."""
        with self._connect() as connection:
            return self.read_on(connection)

    def read_on(self, connection: Connection) -> Halfway | None:
        """Return what is written down, asked on a connection that is there already."""
        if not self._is_there(connection):
            return None
        try:
            row: Any = connection.execute(self._table.select()).first()
        except DBAPIError:
            if self._is_there(connection):
                raise
            return None  # another run has taken it away meanwhile, for it is done
        return Halfway(*row) if row else None

    def write(self, halfway: Halfway) -> None:
        """Write down how far a revision is done."""
        with self._connect() as connection:
            if not self._is_there(connection):
                self._table.create(connection)
            values = vars(halfway)
            own = self._table.c.revision == halfway.revision
            found = connection.execute(self._table.select().where(own)).first()
            if found:
                connection.execute(self._table.update().where(own).values(**values))
            else:
                self._empty(connection)
                connection.execute(self._table.insert().values(**values))

    def clear(self) -> None:
        """Forget what is written down, for that revision is at its end."""
        with self._connect() as connection:
            self._empty(connection)

    def remove(self) -> None:
        """Take the table away: no revision is done in part."""
        with self._connect() as connection:
            self._table.drop(connection, checkfirst=True)

    def _empty(self, connection: Connection) -> None:
        """Delete what is written down by its key: a server may refuse a DELETE of all rows (`sql_safe_updates`)."""
        own = self._table.c.revision
        there = connection.scalars(select(own)).all()
        connection.execute(self._table.delete().where(own.in_(there)))

    def _connect(self) -> Connection:
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _is_there(self, connection: Connection) -> bool:
        return inspect(connection).has_table(self._table.name, self._table.schema)
