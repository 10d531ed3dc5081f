"""Tables of other databases in MySQL and MariaDB.

https://dev.mysql.com/doc/refman/8.4/en/data-types.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from dbctl.backends.copies import Copies, OwnType
from dbctl.backends.exact import Exact
from dbctl.backends.exports import run_as_it_stands
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.mysql.exact import exact
from dbctl.errors import BrokenReference

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.inventory import Relation

_MOST_DIGITS, _MOST_BEHIND, _MOST_CHARACTERS = 65, 30, 16_000
"""Digits of a DECIMAL, those behind the point, and characters of a VARCHAR, which has to share a row of 64 KiB."""

_IN_KEY = 255
"""Characters, or bytes, of a column in a key, of which there may be three: 3072 bytes are what there is for all."""

_EXACT = ("utf8mb4_0900_bin", "utf8mb4_nopad_bin", "utf8mb4_bin")
"""Collations that tell all texts apart: MySQL's, MariaDB's, and both servers', which passes over blanks at the end."""

_COLLATIONS = """
SELECT column_name, collation_name FROM information_schema.columns
WHERE table_schema = coalesce(%(schema)s, database()) AND table_name = %(name)s AND collation_name IS NOT NULL
"""

_WITHOUT_ROLLBACK = """
SELECT t.table_name, t.engine FROM information_schema.tables t JOIN information_schema.engines e USING (engine)
WHERE t.table_schema = coalesce(%(schema)s, database()) AND e.transactions <> 'YES'
"""
_USUAL_ENGINE = "SELECT transactions FROM information_schema.engines WHERE engine = @@default_storage_engine"

_HIDE_SINCE = {False: (8, 0, 23), True: (10, 3)}
"""The first MySQL, and the first MariaDB, that have invisible columns."""

_PLAIN: Mapping[Kind, str] = {
    Kind.FLOAT: "double",
    Kind.BOOLEAN: "boolean",
    Kind.BYTES: "longblob",
    Kind.DATE: "date",
    Kind.TIME: "time(6)",
    Kind.TIMESTAMP: "datetime(6)",
    Kind.INSTANT: "timestamp(6) NULL DEFAULT NULL",
    Kind.SPAN: "time(6)",
    Kind.JSON: "json",
}


_OF_SOME = r"geom|vector"
"""Types whose values are bytes, that not all servers have, or call the same."""

_UNKNOWN_TYPE = {1064, 4161}
"""The error of a syntax that is none, which to some servers an unknown type is, and of such a type."""

_INSTEAD = {"inet6": "varchar(39)", "inet4": "varchar(15)"}


class MySQLCopies(Copies):
    """How MySQL and MariaDB take tables."""

    counted_type = "{} NOT NULL AUTO_INCREMENT"
    numbers_only = "one column of a table, which begins a key"
    index_names_of_tables = True
    creates_whole = True
    pads_char = True
    keys_of_one_type = True

    @contextmanager
    def keys_at_end(self, connection: Connection, relations: Sequence[Relation]) -> Iterator[None]:
        """Have no key looked at within the block, and look for rows that refer to none behind it."""
        connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
        try:
            yield
        finally:
            if not connection.invalidated:
                connection.exec_driver_sql("SET SESSION foreign_key_checks = 1")
        if not relations:
            return
        own = tuple(f"{one.name}: " for one in relations)
        broken = [text for text in self.backups.broken_references(connection) if text.startswith(own)]  # type: ignore[attr-defined]
        if broken:
            raise BrokenReference("; ".join(broken))

    def type_for(self, column: BulkColumn) -> str:
        """Take the type that has room for all values of the kind."""
        if column.kind is Kind.INTEGER:
            return _integer(column)
        if column.kind is Kind.DECIMAL:
            digits, behind = column.digits or (_MOST_DIGITS, _MOST_BEHIND)
            return f"decimal({min(digits, _MOST_DIGITS)}, {min(behind, _MOST_BEHIND)})"
        if column.kind is Kind.BITS and (found := re.match(r"bit\((\d+)\)", column.type)) and int(found[1]) <= 64:
            return f"bit({found[1]})"
        sized = re.match(r"(?:var)?char\w*(?: varying)?\((\d+)\)", column.type, re.IGNORECASE)
        if column.kind is Kind.TEXT and sized and int(sized[1]) <= _MOST_CHARACTERS:
            return f"varchar({sized[1]})"
        if column.kind is Kind.TIME and "with time zone" in column.type:
            return "longtext"
        return _PLAIN.get(column.kind, "longtext")

    def own_types(
        self, source: Connection, connection: Connection, columns: Sequence[BulkColumn]
    ) -> Mapping[str, OwnType]:
        """Take texts and bytes for types that this one of the family, or this version of it, has not.

        The server has an opinion of a statement that is prepared, of which nothing is done.
        """
        found = {}
        for one in columns:
            own = one.type.replace("geomcollection", "geometrycollection")  # which is what MySQL 8 calls it, and takes
            if one.type in found or not (one.kind is Kind.OTHER or re.match(_OF_SOME, one.type)):
                continue
            try:
                run_as_it_stands(connection, f"PREPARE dbctl_type FROM 'CREATE TABLE dbctl_type (v {own})'")
                run_as_it_stands(connection, "DEALLOCATE PREPARE dbctl_type")
            except DBAPIError as error:
                if self.error_code(error.orig) not in _UNKNOWN_TYPE:  # type: ignore[attr-defined]
                    raise
                own = _INSTEAD.get(own) or self.type_for(one)
            found[one.type] = OwnType(own)
        return found

    def table_options(self, connection: Connection) -> str:
        """Say utf8mb4 where the database's tables have another one, else they get its collation too; and InnoDB."""
        usual = connection.exec_driver_sql("SELECT @@character_set_database").scalar_one()
        engine = " ENGINE = InnoDB" if connection.exec_driver_sql(_USUAL_ENGINE).scalar() == "NO" else ""
        return engine if usual == "utf8mb4" else f"{engine} CHARACTER SET utf8mb4"

    def without_rollback(self, connection: Connection, relations: Sequence[Relation]) -> Mapping[Relation, str]:
        """Ask for the engines without transactions, as MyISAM, Aria and MEMORY.

        https://dev.mysql.com/doc/refman/8.4/en/nontransactional-tables.html
        """
        engines = {
            (schema, name): engine
            for schema in {one.schema for one in relations}
            for name, engine in connection.exec_driver_sql(_WITHOUT_ROLLBACK, {"schema": schema})
        }
        there = ((one, engines.get((one.schema, one.name))) for one in relations)
        return {one: engine for one, engine in there if engine}

    def type_in_key(self, type_: str, collations: Collection[str]) -> str:
        """Take one of a length that InnoDB has in a key, which tells apart all texts that others tell apart.

        https://dev.mysql.com/doc/refman/8.4/en/innodb-limits.html
        """
        sized = {"longtext": f"varchar({_IN_KEY})", "longblob": f"varbinary({_IN_KEY})"}.get(type_, type_)
        exact = next((one for one in _EXACT if one in collations), None)
        return f"{sized} COLLATE {exact}" if exact and sized.startswith("varchar") else sized

    def hidden(self, dialect: Any, *, required: bool) -> str:
        """Look at the version; MariaDB takes none without a default that may not be NULL.

        https://dev.mysql.com/doc/refman/8.4/en/invisible-columns.html, https://mariadb.com/kb/en/invisible-columns/
        """
        can = dialect.server_version_info >= _HIDE_SINCE[dialect.is_mariadb]
        return " INVISIBLE" if can and not (dialect.is_mariadb and required) else ""

    def numbered(
        self, columns: Sequence[str], primary: Sequence[str], keys: Sequence[Sequence[str | None]]
    ) -> Sequence[str]:
        """Take one that begins a key, the primary one's if it may be.

        https://dev.mysql.com/doc/refman/8.4/en/innodb-auto-increment-handling.html
        """
        begins = (names[0] for names in (primary, *keys) if names)
        return [name for name in begins if name and name in columns][:1]

    def collations(self, connection: Connection, relation: Relation) -> Mapping[str, str]:
        """Ask INFORMATION_SCHEMA, which has one of each text."""
        names = {"schema": relation.schema, "name": relation.name}
        return dict(map(tuple, connection.exec_driver_sql(_COLLATIONS, names)))

    def known_collations(self, connection: Connection) -> Collection[str]:
        """Ask INFORMATION_SCHEMA: MariaDB's has some by names without a character set, which are full elsewhere."""
        rows = connection.exec_driver_sql("SELECT * FROM information_schema.collation_character_set_applicability")
        named = [{key.lower(): value for key, value in row.items()} for row in rows.mappings()]
        return {row.get("full_collation_name") or row["collation_name"] for row in named}

    def key_literal(self, column: BulkColumn, value: str) -> str:
        """Quote a text whatever it has in it."""
        plain = column.kind in {Kind.INTEGER, Kind.DECIMAL, Kind.BYTES}
        return super().key_literal(column, value) if plain else self.text_literal(value)  # type: ignore[attr-defined]

    def mask_digest(self, value: str, key: str) -> str:
        """Take SHA-256, which the server has."""
        return f"SHA2(CONCAT('{key}', CONVERT({value} USING utf8mb4)), 256)"

    def mask_number(self, digest: str, at: int, digits: int) -> str:
        """Convert them."""
        return f"CAST(CONV(SUBSTR({digest}, {at}, {digits}), 16, 10) AS UNSIGNED)"

    def joined(self, parts: Sequence[str]) -> str:
        """Take CONCAT: || is OR here."""
        return f"CONCAT({', '.join(parts)})"

    def digits_of_seconds(self, column: BulkColumn) -> int:
        """Have none unless it says so."""
        return _fraction(column)

    def exact(self, column: BulkColumn) -> Exact | None:
        """Look for what its types cut, fill up, round, and take for one of theirs."""
        return exact(column)

    def keeps(self, column: BulkColumn, own: BulkColumn) -> bool:
        """Look at the digits behind the point, at those of a float, at fractions of seconds, and at how many bits."""
        if own.kind is Kind.DECIMAL and not column.wide:  # of SQLite's each value is looked at
            return column.digits is not None and column.digits[1] <= (own.digits or (0, 0))[1]
        if own.kind is Kind.BITS:
            return "varying" not in column.type
        if own.kind is Kind.FLOAT and own.type.startswith("float"):
            return column.type in {"real", "float"} and not column.wide
        if own.kind in {Kind.SPAN, Kind.TIMESTAMP, Kind.INSTANT}:
            return _fraction(own) >= _fraction(column)
        return True


def _integer(column: BulkColumn) -> str:
    unsigned = " unsigned" if "unsigned" in column.type else ""
    plain = re.match(r"tinyint|smallint|mediumint|bigint", column.type)
    return "bigint" if column.wide else f"{plain[0] if plain else 'int'}{unsigned}"


def _fraction(column: BulkColumn) -> int:
    """Return how many digits behind its seconds a column has: PostgreSQL's has six unless it says so."""
    if found := re.search(r"\((\d)\)", column.type):
        return int(found[1])
    return 0 if re.match(r"datetime$|time$|timestamp$", column.type) and not column.wide else 6
