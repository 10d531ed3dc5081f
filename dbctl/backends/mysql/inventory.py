"""What MySQL and MariaDB have: asked of INFORMATION_SCHEMA, and of PERFORMANCE_SCHEMA where that is on.

https://dev.mysql.com/doc/refman/8.4/en/information-schema-tables-table.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.inventory import ColumnThere, IndexThere, Inventory, PartThere, Relation
from dbctl.backends.mysql.definitions import MySQLDefinitions

if TYPE_CHECKING:
    from sqlalchemy import Connection

_RELATIONS = """
SELECT table_schema, table_name,
       CASE WHEN table_type = 'BASE TABLE' AND create_options LIKE '%partitioned%' THEN 'partitioned table'
            WHEN table_type LIKE '%VIEW' THEN 'view' ELSE 'table' END,
       table_rows, data_length, index_length,
       nullif(CASE WHEN table_type LIKE '%VIEW' THEN '' ELSE table_comment END, '')
FROM information_schema.tables
WHERE table_schema = coalesce(:schema, database()) AND table_type <> 'SEQUENCE' ORDER BY table_name
"""
_COLUMNS = """
SELECT column_name, column_type, is_nullable = 'YES', column_default, extra, nullif(column_comment, ''),
       generation_expression
FROM information_schema.columns WHERE table_schema = :schema AND table_name = :name ORDER BY ordinal_position
"""
_SIZES = """
SELECT index_name, sum(stat_value) * @@innodb_page_size FROM mysql.innodb_index_stats
WHERE database_name = :schema AND (table_name = :name OR table_name LIKE concat(:name, '#p#%')) AND stat_name = 'size'
GROUP BY index_name
"""
_SCANS = """
SELECT index_name, count_read FROM performance_schema.table_io_waits_summary_by_index_usage
WHERE object_schema = :schema AND object_name = :name AND index_name IS NOT NULL
"""
_REFERENCES = """
SELECT k.constraint_name, k.table_schema, k.table_name,
       group_concat(k.column_name ORDER BY k.ordinal_position SEPARATOR ', '),
       group_concat(k.referenced_column_name ORDER BY k.ordinal_position SEPARATOR ', '),
       max(r.delete_rule), max(r.update_rule)
FROM information_schema.key_column_usage k
JOIN information_schema.referential_constraints r
  ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
WHERE k.referenced_table_schema = :schema AND k.referenced_table_name = :name
GROUP BY k.constraint_name, k.table_schema, k.table_name ORDER BY k.table_schema, k.table_name, k.constraint_name
"""
_TRIGGERS = """
SELECT trigger_name,
       concat(action_timing, ' ', event_manipulation, ' FOR EACH ', action_orientation, ' ', action_statement)
FROM information_schema.triggers WHERE event_object_schema = :schema AND event_object_table = :name
ORDER BY action_timing, event_manipulation, action_order
"""
_PARTITIONS = """
SELECT partition_name, concat(partition_method, coalesce(concat(' (', partition_expression, ')'), ''),
       coalesce(concat(' ', partition_description), ''))
FROM information_schema.partitions
WHERE table_schema = :schema AND table_name = :name AND partition_name IS NOT NULL ORDER BY partition_ordinal_position
"""
_DENIED = (1142, 1143, 1146, 1044)
"""Errors of who may not ask, or where there is nothing to ask."""


class MySQLInventory(MySQLDefinitions, Inventory):
    """Of MySQL and MariaDB."""

    asks_innodb: ClassVar[bool] = True
    """Whether InnoDB's statistics and PERFORMANCE_SCHEMA tell of what is there, and the age of statistics is set."""

    def inventory(self, connection: Connection, schema: str | None) -> Sequence[Relation]:
        """Ask for what the engines say now: MySQL would hand on what they said a day ago."""
        dialect: Any = connection.dialect
        if self.asks_innodb and not dialect.is_mariadb:
            connection.exec_driver_sql("SET SESSION information_schema_stats_expiry = 0")
        rows = _ask(connection, _RELATIONS, schema=schema)
        return [Relation(where, name, kind, *measures) for where, name, kind, *measures in rows]

    def unknown(self, connection: Connection, relations: Sequence[Relation]) -> Iterable[str]:
        """Say that InnoDB estimates, as it does sizes too."""
        if any(each.has_rows for each in relations):
            yield "sizes are the pages that InnoDB has allotted, as its statistics say"

    def columns_there(self, connection: Connection, relation: Relation) -> Sequence[ColumnThere]:
        """Ask for each; what is generated stands where the default does."""
        found = []
        for name, kind, nullable, default, more, comment, computed in _ask_of(connection, _COLUMNS, relation):
            extra = " ".join(more.replace("DEFAULT_GENERATED", "").split())
            said = (
                f"{extra.upper()} AS ({computed})" if computed else " ".join(filter(None, [_default(default), extra]))
            )
            found.append(ColumnThere(name, kind, bool(nullable), said or None, comment))
        return found

    def indexes_there(self, connection: Connection, relation: Relation) -> Sequence[IndexThere]:
        """Ask InnoDB's statistics for the sizes, and PERFORMANCE_SCHEMA for the reads, where one may."""
        from sqlalchemy import inspect

        inspector = inspect(connection)
        key = inspector.get_pk_constraint(relation.name, relation.schema)["constrained_columns"]
        texts = {"PRIMARY": f"PRIMARY KEY ({', '.join(key)})"} if key else {}
        known = self.index_definitions(inspector, relation.schema, relation.name)
        texts |= {name: one.text for name, one in sorted(known.get(relation.name, {}).items())}
        sizes, scans = (_known(connection, query, relation) if self.asks_innodb else {} for query in (_SIZES, _SCANS))
        return [IndexThere(name, said, sizes.get(name), scans.get(name)) for name, said in texts.items()]

    def references_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Ask for the columns of keys that name it."""
        found = []
        for name, schema, table, columns, referred, delete, update in _ask_of(connection, _REFERENCES, relation):
            options = "".join(
                f" {word} {rule}"
                for word, rule in (("ON DELETE", delete), ("ON UPDATE", update))
                if rule not in {"NO ACTION", "RESTRICT"}
            )
            text = f"FOREIGN KEY ({columns}) REFERENCES {relation.name} ({referred}){options}"
            found.append(PartThere(name, text, table if schema == relation.schema else f"{schema}.{table}"))
        return found

    def triggers_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Ask for those that one may see, which takes the TRIGGER privilege."""
        return [PartThere(*row) for row in _ask_of(connection, _TRIGGERS, relation)]

    def partitions_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Ask for what each is limited by."""
        return [PartThere(*row) for row in _ask_of(connection, _PARTITIONS, relation)]


def _ask(connection: Connection, query: str, **parameters: Any) -> Sequence[Any]:
    from sqlalchemy import text

    return connection.execute(text(query), parameters).all()


def _ask_of(connection: Connection, query: str, relation: Relation) -> Sequence[Any]:
    return _ask(connection, query, schema=relation.schema, name=relation.name)


def _known(connection: Connection, query: str, relation: Relation) -> Mapping[str, int]:
    """Return a measure by the index; none where one may not ask for it, or it is not taken."""
    from sqlalchemy.exc import DBAPIError

    try:
        return {name: int(value) for name, value in _ask_of(connection, query, relation)}
    except DBAPIError as error:
        if error.orig is None or error.orig.args[0] not in _DENIED:
            raise
        return {}


def _default(value: Any) -> str | None:
    """Return a default as text, but not the NULL that MariaDB says is the one of whatever has none."""
    text = value.decode() if isinstance(value, bytes) else value
    return None if text == "NULL" else text


backend = MySQLInventory
