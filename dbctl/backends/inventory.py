"""What a database has, as an operator asks for it: tables with rows and sizes, and all parts of one of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.definitions import Definitions
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection


@record
class Relation:
    """A table, or what can be read as one.

    Args:
        schema: Its schema; None where there is just one.
        name: Its name.
        kind: table, partitioned table, view, materialized view, foreign table or virtual table.
        rows: How many rows the server takes it to have; None where it does not know.
        data_bytes: What its rows take up, in bytes; None where nobody knows.
        index_bytes: The same of its indexes.
        comment: Its comment.
        readable: Whether its rows may be read on this connection, as far as that is known.
    """

    schema: str | None
    name: str
    kind: str
    rows: int | None = None
    data_bytes: int | None = None
    index_bytes: int | None = None
    comment: str | None = None
    readable: bool = True

    @property
    def has_rows(self) -> bool:
        """Whether it keeps rows of its own."""
        return self.kind in {"table", "partitioned table", "materialized view", "virtual table"}


@record
class ColumnThere:
    """A column as the database has it: its type in the server's own words; a default may be how it is generated."""

    name: str
    type: str
    nullable: bool
    default: str | None = None
    comment: str | None = None


@record
class IndexThere:
    """An index: its definition, its size in bytes and how often it was read, where the server tells."""

    name: str
    definition: str
    bytes: int | None = None
    scans: int | None = None


@record
class PartThere:
    """A constraint, a trigger, a partition, or a foreign key of another table, which `table` names."""

    name: str
    definition: str
    table: str | None = None


class Inventory(Definitions):
    """The part of a backend that tells what is there; each database's own answers are overrides."""

    counted_below: ClassVar[int] = 8 * 1024 * 1024
    """Bytes of a table's rows up to which they are counted; of a larger one the server's own estimate is taken."""
    counts_index_reads: ClassVar[bool] = True
    """Whether there is a count of how often an index is read, though a user may not be told it."""

    def inventory(self, connection: Connection, schema: str | None) -> Sequence[Relation]:
        """Return the tables and views of a schema, or of all that are no system's own; by schema and name.

        Args:
            connection: The connection.
            schema: The schema; on MySQL the profile's database unless one is given.
        """
        raise NotImplementedError

    def is_counted_soon(self, connection: Connection, relation: Relation) -> bool:
        """Tell whether a table is so small that its rows are counted at once."""
        size = relation.data_bytes
        return size is not None and size <= self.counted_below

    def unknown(self, connection: Connection, relations: Sequence[Relation]) -> Iterable[str]:
        """Yield what can't be known of these relations here, or is an estimate, each as a sentence."""
        return ()

    def columns_there(self, connection: Connection, relation: Relation) -> Sequence[ColumnThere]:
        """Return the columns in their order."""
        raise NotImplementedError

    def indexes_there(self, connection: Connection, relation: Relation) -> Sequence[IndexThere]:
        """Return the indexes, those of keys too."""
        raise NotImplementedError

    def constraints_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Return keys and checks; a foreign key as REFERENCES says it."""
        from sqlalchemy import inspect

        inspector = inspect(connection)
        table, schema = relation.name, relation.schema
        found = []
        if (key := inspector.get_pk_constraint(table, schema))["constrained_columns"]:
            found.append(PartThere(key["name"] or "", f"PRIMARY KEY ({', '.join(key['constrained_columns'])})"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of indexes that are none of the kind
            uniques = inspector.get_unique_constraints(table, schema)
        found += [PartThere(each["name"] or "", f"UNIQUE ({', '.join(each['column_names'])})") for each in uniques]
        found += [
            PartThere(check["name"] or "", f"CHECK ({check['sqltext']})")
            for check in inspector.get_check_constraints(table, schema)
        ]
        found += [
            PartThere(key["name"] or "", foreign_key_text(key, relation.schema))
            for key in inspector.get_foreign_keys(table, schema)
        ]
        return found

    def references_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Return the foreign keys that refer to it."""
        raise NotImplementedError

    def triggers_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Return its triggers, without those that the database has made for itself."""
        raise NotImplementedError

    def further_parts(self, connection: Connection, schema: str | None) -> Iterable[tuple[str, str, str]]:
        """Yield what of a schema SQLAlchemy does not tell, or not all of: a name, which part of it, and what is said.

        Args:
            connection: The connection.
            schema: The schema, or None for the default one.
        """
        return ()

    def partitions_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Return its partitions, with what is in each."""
        return ()


def foreign_key_text(key: Any, schema: str | None) -> str:
    """Return a foreign key, as SQLAlchemy reflects it, as SQL says it; without the schema that it is in itself."""
    place = key["referred_table"]
    if key["referred_schema"] not in {None, schema}:
        place = f"{key['referred_schema']}.{place}"
    options = "".join(
        f" {word} {value}"
        for word in ("ON DELETE", "ON UPDATE")
        if (value := key["options"].get(word.lower().replace(" ", "")))
    )
    columns, referred = ", ".join(key["constrained_columns"]), ", ".join(key["referred_columns"])
    return f"FOREIGN KEY ({columns}) REFERENCES {place} ({referred}){options}"
