"""MySQL's and MariaDB's bulk reading: by an unbuffered cursor, of the texts that the server sends.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dbctl.backends.exports import BATCH, Exports, Selection, Take, hex_of, result_of, run_as_it_stands
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.mysql.copies import MySQLCopies
from dbctl.backends.mysql.delimited import Lines

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.inventory import Relation

_COLUMNS = """
SELECT column_name, column_type, is_nullable = 'YES', extra REGEXP 'GENERATED|VIRTUAL|STORED|PERSISTENT'
                                                      AND extra NOT LIKE '%%DEFAULT_GENERATED%%',
       extra LIKE '%%INVISIBLE%%'
FROM information_schema.columns
WHERE table_schema = coalesce(%(schema)s, database()) AND table_name = %(name)s ORDER BY ordinal_position
"""

_BINARY = 63
"""The collation of what is bytes: https://dev.mysql.com/doc/refman/8.4/en/charset-binary-collations.html."""

_ZERO_DAY = "0000-00-00"
"""What MySQL has where there is no day; it is at no time anywhere."""

_bits = struct.Struct("f").pack
_FORMS_OF_SINGLE = ("%.6g", "%.7g", "%.8g", "%.9g")
"""Nine digits tell any two floats of 32 bits apart, and six are never too many."""
_LARGE = 3.4e38
"""Of what is larger fewer digits may be more than any such float, and are refused where they are read."""
_SHORT = 9
"""Characters of a number that has no shorter text."""

_UTF8 = {"utf8", "utf-8"}
"""What PyMySQL calls the encoding of utf8mb4."""

_Convert = Callable[[Any], Any]


class MySQLExports(MySQLCopies, Exports):
    """How MySQL and MariaDB are read in bulk."""

    export_options = {"isolation_level": "REPEATABLE READ"}
    type_kinds = (
        (r"tinyint|smallint|mediumint|int|bigint|year", Kind.INTEGER),
        (r"decimal", Kind.DECIMAL),
        (r"float|double", Kind.FLOAT),
        (r"char|varchar|tinytext|mediumtext|text|longtext|enum|set", Kind.TEXT),
        (r"binary|varbinary|tinyblob|mediumblob|blob|longblob|vector", Kind.BYTES),
        (r"geom|point|linestring|polygon|multi", Kind.BYTES),
        (r"bit", Kind.BITS),
        (r"datetime", Kind.TIMESTAMP),
        (r"date", Kind.DATE),
        (r"timestamp", Kind.INSTANT),
        (r"time", Kind.SPAN),
        (r"json", Kind.JSON),
        (r"uuid", Kind.UUID),
    )

    def begin_reading(self, connection: Connection, snapshot: str | None = None) -> str | None:
        """Take the moment of all InnoDB tables at once; nobody can share it."""
        self.set_texts(connection)
        self.keep_from_writing(connection)  # type: ignore[attr-defined]
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        return None

    def set_texts(self, connection: Connection) -> None:
        """Be in UTC, add no blanks to a CHAR, and have all rows, however many a server's own limit lets through."""
        modes = "REPLACE(@@SESSION.sql_mode, 'PAD_CHAR_TO_FULL_LENGTH', '')"
        all_rows = "sql_select_limit = 18446744073709551615"
        connection.exec_driver_sql(f"SET SESSION time_zone = '+00:00', sql_mode = {modes}, {all_rows}")

    def checksum(self, connection: Connection, selection: Selection) -> tuple[int, int] | None:
        """Add up sixty bits of a digest of each row, in which NULL and the empty text are told apart."""
        names = [self.sql_name(one.name) for one in selection.columns]
        parts = ", ".join(f"ISNULL({name}), CAST({name} AS BINARY)" for name in names)
        digest = f"CAST(CONV(LEFT(SHA2(CONCAT_WS(0x1f, {parts}), 224), 15), 16, 10) AS UNSIGNED)"
        query = f"SELECT count(*), coalesce(sum({digest}), 0) FROM ({selection.query}) AS dbctl_query"
        rows, total = run_as_it_stands(connection, query).one()
        return int(rows), int(total)

    def sql_name(self, name: str) -> str:
        """Quote it with backticks."""
        return "`" + name.replace("`", "``") + "`"

    def table_columns(self, connection: Connection, relation: Relation) -> Sequence[BulkColumn]:
        """Ask INFORMATION_SCHEMA."""
        names = {"schema": relation.schema, "name": relation.name}
        rows = connection.exec_driver_sql(_COLUMNS, names).all()
        return [
            BulkColumn(name, self.kind_of(type_), type_, bool(nullable), bool(generated), invisible=bool(invisible))
            for name, type_, nullable, generated, invisible in rows
        ]

    def query_columns(self, connection: Connection, query: str) -> Sequence[BulkColumn]:
        """Look at what the server says of a result without rows."""
        with result_of(connection, f"SELECT * FROM ({query}\n) AS dbctl_query LIMIT 0") as result:
            return [self._described(field) for field in result.cursor._result.fields]

    def _described(self, field: Any) -> BulkColumn:
        from pymysql.constants import FIELD_TYPE, FLAG

        from dbctl.backends.mysql.unknown_types import VECTOR

        named = [(code, name.lower()) for name, code in vars(FIELD_TYPE).items() if isinstance(code, int)]
        words = dict([(VECTOR, "vector"), *reversed(named)])  # the names that came later are others' for the same
        word = words.get(field.type_code, "unknown")
        word = _WORDS.get(word, word)
        if word == "text" and field.charsetnr == _BINARY:
            word = "blob"
        type_ = f"bit({field.length})" if word == "bit" else word
        if field.flags & FLAG.UNSIGNED and self.kind_of(word) is Kind.INTEGER:
            type_ += " unsigned"
        return BulkColumn(field.name, self.kind_of(type_), type_)

    def text_of(self, column: BulkColumn) -> str:
        """Have all digits of a FLOAT, of which the server writes six, and no zeros before a number."""
        name = self.sql_name(column.name)
        if column.single:
            return f"({name} * 1e0)"  # to which 0 may not be added, for the sign of -0
        return f"({name} + 0)" if "zerofill" in column.type or column.type.startswith("year") else name

    def read_rows(self, connection: Connection, selection: Selection, take: Take) -> None:
        """Take what the server sends as it is, but for what is no text."""
        converts = list(map(_convert, selection.columns))
        with self._rows(connection, selection) as cursor:
            while rows := cursor.fetch_as_sent(BATCH):
                columns: list[Any] = list(map(_decoded, cursor.encodings, zip(*rows, strict=True)))
                for place, convert in enumerate(converts):
                    if convert is not None:
                        columns[place] = [None if value is None else convert(value) for value in columns[place]]
                take(columns)

    def copy_out(
        self,
        connection: Connection,
        selection: Selection,
        write: Callable[[bytes], None],
        *,
        csv: bool,
        null: str | None,
    ) -> int | None:
        """Write what comes without making texts of it, where the connection speaks UTF-8 as files do."""
        driver_connection: Any = connection.connection.driver_connection
        if driver_connection.encoding not in _UTF8:
            return None
        count = 0
        with self._rows(connection, selection) as cursor:
            converts = map(_convert_bytes, selection.columns, cursor.encodings)
            lines = Lines(list(converts), csv=csv, null=null or "")
            while rows := cursor.fetch_as_sent(BATCH):
                write(lines.of(rows))
                count += len(rows)
        return count

    @contextmanager
    def _rows(self, connection: Connection, selection: Selection) -> Iterator[Any]:
        from dbctl.backends.mysql.streaming import rows_as_sent

        backend: Any = self
        driver_connection: Any = connection.connection.driver_connection
        with rows_as_sent(driver_connection, selection.query, backend.canceller, backend.profile) as cursor:
            yield cursor


# What PyMySQL calls the types of the protocol.
_WORDS: Mapping[str, str] = {
    **{"tiny": "tinyint", "short": "smallint", "int24": "mediumint", "long": "int", "longlong": "bigint"},
    **dict.fromkeys(("blob", "tiny_blob", "medium_blob", "long_blob", "string", "var_string", "varchar"), "text"),
    "newdecimal": "decimal",
    "newdate": "date",
    "geometry": "geometry",
}


def _decoded(encoding: str | None, values: Sequence[bytes | None]) -> Sequence[Any]:
    """Return a column's values as texts, which are made of all of them at once where none has several lines."""
    if encoding is None:
        return values
    if None not in values:
        texts = b"\n".join(values).decode(encoding).split("\n")  # type: ignore[arg-type]
        if len(texts) == len(values):
            return texts
    return [None if value is None else value.decode(encoding) for value in values]


def _convert_bytes(column: BulkColumn, encoding: str | None) -> Callable[[bytes], bytes] | None:
    """Return what makes the bytes that files have of a value, where they are others."""
    convert = _convert(column)
    if convert is None or (encoding is not None and column.kind in {Kind.BYTES, Kind.OTHER}):
        return None
    if encoding is None:
        return lambda value: convert(value).encode()
    return lambda value: convert(value.decode(encoding)).encode()


def _convert(column: BulkColumn) -> _Convert | None:
    """Return what makes the text of a value that the server sends otherwise."""
    if column.kind is Kind.INSTANT:
        return lambda value: value if value.startswith(_ZERO_DAY) else f"{value}+00"
    if column.kind is Kind.BITS:
        width = re.search(r"\d+", column.type)
        form = f"0{width[0] if width else 1}b"
        return lambda value: format(int.from_bytes(value), form)
    if column.kind in {Kind.BYTES, Kind.OTHER}:
        return lambda value: value if isinstance(value, str) else hex_of(value)
    return _single if column.single else None


@lru_cache(1 << 12)
def _single(value: str) -> str:
    """Return the shortest text that is read as the same float of 32 bits: the server has written it as one of 64."""
    if len(value) < _SHORT:
        return value
    number = float(value)
    if abs(number) > _LARGE:
        return value
    bits = _bits(number)
    for form in _FORMS_OF_SINGLE:
        if _bits(float(text := form % number)) == bits:
            return text
    return value
