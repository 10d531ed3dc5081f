"""Rows into MySQL and MariaDB by LOAD DATA LOCAL; by INSERT of many rows where the server forbids that.

With LOCAL a server makes warnings of errors, and leaves rows out or bends values: so any warning is a refusal here.
https://dev.mysql.com/doc/refman/8.4/en/load-data.html#load-data-error-handling
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.backends.bulk import Bulk, Delimited, Fault, Refused, Rows, Run, Taken, Target
from dbctl.backends.bulk_texts import each, in_utc, moments, tab_separated
from dbctl.backends.exact import fraction
from dbctl.backends.exports import run_as_it_stands
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.mysql.engine import MySQL
from dbctl.backends.mysql.errors import MEANINGS
from dbctl.backends.mysql.exports import MySQLExports
from dbctl.backends.mysql.packets import FILE, most_of, refuse_larger, send_file
from dbctl.backends.origins import note_origin

if TYPE_CHECKING:
    from sqlalchemy import Connection

_STAGE = "dbctl_stage"

# The server's switch is off, or the server is told not to offer it.
_FORBIDDEN = (1148, 3948, 4166)
# What says nothing against a row: that a temporary table was not there.
_HARMLESS = {1051}
# no value of the column, truncated, no JSON, no geometry, no partition, a check, NULL, no such day
_OF_A_ROW = {1263, 1265, 1292, 1261, 1262, 1300, 1366, 1416, 1526, 1690, 1748, 3140, 3156, 3751, 3819, 4025, 4078}
# SIGNAL's own numbers; and where a trigger's begin, for those of the server's messages to clients end before.
_RAISED = {1642, 1643, 1644}
_TRIGGERS_OWN = 5000
_BENT = {1261, 1262, 1263, 1264, 1265, 1292, 1300, 1366, 1406, 1416}
_ROW = re.compile(r" (?:at|for) row (\d+)\Z|\ARow (\d+) ")
_COLUMN = re.compile(r"(?:[Cc]olumn|Field) [`'](?:.+`\.`)?(?P<column>[^`']+)[`']|FOREIGN KEY \(`(?P<key>[^`]+)`\)")
_TRUTH = {"true": "1", "t": "1", "false": "0", "f": "0"}
_MODES = ("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_AUTO_VALUE_ON_ZERO")
# A day of zeros is one that the table may have, and LOAD DATA's own words have backslashes.
_NOT_MODES = ("NO_ZERO_IN_DATE", "NO_ZERO_DATE", "TRADITIONAL", "NO_BACKSLASH_ESCAPES")

_log = logging.getLogger(__name__)


class MySQLBulk(MySQLExports, Bulk, MySQL):
    """Of MySQL and MariaDB, which round a number for a column of whole ones, and make NULL of what is no UNHEX."""

    bends = (Kind.INTEGER, Kind.BYTES, Kind.BITS, Kind.TIMESTAMP, Kind.UUID)
    searches = True

    def taken(self, column: BulkColumn) -> Taken | None:
        """Make 1 and 0 of truth, and UTC without its zone of an instant: the session is in UTC."""
        if column.kind is Kind.BYTES:
            return each(_digits)
        if column.kind is Kind.INSTANT:
            return moments(in_utc)
        if column.type.startswith("year"):
            return each(lambda value: value.zfill(4))  # of 0 and 00 it makes 2000
        if column.type.startswith("tinyint(1)"):
            return each(lambda value: _TRUTH.get(value, value))
        return super().taken(column)

    def as_it_is(self, column: BulkColumn) -> str | None:
        """Take moments without a zone, and truth in digits, of which nothing else would be made."""
        if column.kind is Kind.INSTANT:
            return rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d{fraction(self.digits_of_seconds(column))}"
        return r"\d{1,2}+" if column.type.startswith("tinyint(1)") else super().as_it_is(column)

    def reads(self, delimited: Delimited) -> bool:
        """Read all but the word NULL, which is no text to it where values may be quoted, and lines that end with CR."""
        word = delimited.format == "csv" and delimited.null != "NULL" and b"NULL" in delimited.data
        return not word and b"\r" not in delimited.data

    def form(self, column: BulkColumn) -> str:
        """Read bytes and bits from their digits."""
        return {Kind.BYTES: "UNHEX({})", Kind.BITS: "CAST(CONV({}, 2, 10) AS UNSIGNED)"}.get(column.kind, "{}")

    @contextmanager
    def takes_rows(self, connection: Connection, *, strict: bool) -> Iterator[None]:
        """Be in UTC, have the server refuse what does not fit and tell of all of it, and let a table be emptied."""
        from sqlalchemy.exc import DBAPIError

        modes = ",".join(_MODES if strict else _MODES[-1:])
        query = "SELECT @@SESSION.time_zone, @@SESSION.sql_mode, @@SESSION.sql_safe_updates"
        before = tuple(connection.exec_driver_sql(query).one())
        there = "@@SESSION.sql_mode"
        for unwanted in _NOT_MODES:
            there = f"REPLACE({there}, '{unwanted}', '')"
        settings = f"time_zone = '+00:00', sql_mode = CONCAT({there}, ',{modes}'), sql_safe_updates = 0"
        connection.exec_driver_sql(f"SET SESSION {settings}")
        try:
            yield
        finally:
            if not connection.invalidated:
                with suppress(DBAPIError):  # what has ended the load is told, and ends the connection too
                    settings = "time_zone = %s, sql_mode = %s, sql_safe_updates = %s"
                    connection.exec_driver_sql(f"SET SESSION {settings}", before)

    def prepare_load(self, connection: Connection, target: Target) -> None:
        """Make a temporary table to load into where a row's key may be there; a server may want a key of its own."""
        most_of(connection)  # asked while nobody looks at what a load waits for
        if target.conflict != "error":
            connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {_STAGE}")
            rows = f"SELECT {self.names(target.columns)} FROM {self.place(target)} LIMIT 0"
            run_as_it_stands(connection, f"CREATE TEMPORARY TABLE {_STAGE} (dbctl_row serial PRIMARY KEY) {rows}")

    def load_lines(self, connection: Connection, target: Target, lines: Run) -> tuple[int, int]:
        """Load them as they stand."""
        return self._loaded(connection, target, lines, lines.first)

    def load_rows(self, connection: Connection, target: Target, rows: Rows) -> int:
        """Load them as tab-separated text."""
        return self._loaded(connection, target, [rows])[1]

    def _loaded(
        self,
        connection: Connection,
        target: Target,
        parts: Iterable[Rows | Delimited],
        read_as: Delimited | None = None,
    ) -> tuple[int, int]:
        """Load parts, into the temporary table first where a key may be there; return how many rows, and were written.

        Args:
            connection: The connection.
            target: The table.
            parts: The parts.
            read_as: What says how they stand, where they are lines of a file.
        """
        if target.conflict == "error":
            seen = self._put(connection, target, self.place(target), parts, read_as)
            return seen, seen
        connection.exec_driver_sql(f"DELETE FROM {_STAGE}")
        seen = self._put(connection, target, _STAGE, parts, read_as)
        columns = self.names(target.columns)
        insert = f"INSERT INTO {self.place(target)} ({columns}) SELECT {columns} FROM {_STAGE} s"
        if target.conflict == "skip" or not target.others:
            same = " AND ".join(f"t.{name} = s.{name}" for name in map(self.sql_name, target.key))
            there = f"SELECT 1 FROM {self.place(target)} t WHERE {same}"
            return seen, int(run_as_it_stands(connection, f"{insert} WHERE NOT EXISTS ({there})").rowcount)
        instead = ", ".join(f"{name} = s.{name}" for name in map(self.sql_name, target.others))
        run_as_it_stands(connection, f"{insert} ON DUPLICATE KEY UPDATE {instead}")
        self._refuse(connection, target)
        return seen, seen

    def conclude_load(self, connection: Connection, target: Target) -> None:
        """Take the temporary table away; numbers go on by themselves."""
        if target.conflict != "error":
            connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {_STAGE}")

    def _put(
        self,
        connection: Connection,
        target: Target,
        place: str,
        parts: Iterable[Rows | Delimited],
        read_as: Delimited | None,
    ) -> int:
        driver_connection: Any = connection.connection.driver_connection
        if connection.info.get(_FORBIDDEN) is None:
            data = (part.data if isinstance(part, Delimited) else tab_separated(part.columns) for part in parts)
            statement, most = self._load_statement(target, place, read_as), most_of(connection)
            try:
                rows, warnings = send_file(driver_connection, statement, data, most)
            except Exception as error:
                if isinstance(error, self.driver_errors()):
                    note_origin(error, self.profile, connection=driver_connection, lost=not driver_connection.open)
                if self.error_code(error) not in _FORBIDDEN:
                    raise
                connection.info[_FORBIDDEN] = True
                _log.info("the server forbids LOAD DATA LOCAL (local_infile): rows are inserted, which takes longer")
            else:
                if warnings:
                    self._refuse(connection, target)
                return rows
        read = (part.rows()[0] if isinstance(part, Delimited) else part for part in parts)
        return sum(self._insert(connection, target, place, rows) for rows in read)

    def _load_statement(self, target: Target, place: str, read_as: Delimited | None) -> str:
        r"""Return LOAD DATA; in CSV each value is held against what NULL is, for it knows no other than \N."""
        delimiter = r"\t" if read_as is None else read_as.delimiter
        ends = rf"FIELDS TERMINATED BY '{delimiter}' ESCAPED BY '\\'"
        null = None
        if read_as is not None and (read_as.format == "csv" or read_as.null != r"\N"):
            ends = f"FIELDS TERMINATED BY '{delimiter}' "
            ends += """OPTIONALLY ENCLOSED BY '"' ESCAPED BY ''""" if read_as.format == "csv" else "ESCAPED BY ''"
            null = read_as.null.replace("\\", "\\\\").replace("'", "''").replace("{", "{{").replace("}", "}}")
        names, sets = [], []
        forms = list(map(self.form, target.kinds))
        for number, (column, form) in enumerate(zip(target.kinds, forms, strict=True)):
            # Of a 0 for AUTO_INCREMENT MariaDB makes the next number where there is a SET, and that has not this too.
            apart = null is not None or form != "{}" or (column.kind is Kind.INTEGER and set(forms) != {"{}"})
            # As bytes: a collation takes a blank for nothing, and one letter for another.
            own = form if null is None else form.format(f"IF(CAST({{0}} AS BINARY) = '{null}', NULL, {{0}})")
            name = self.sql_name(column.name)
            names.append(f"@c{number}" if apart else name)
            sets += [f"{name} = {own.format(f'@c{number}')}"] * apart
        return (
            f"LOAD DATA LOCAL INFILE '{FILE.decode()}' INTO TABLE {place} CHARACTER SET utf8mb4"
            rf" {ends} LINES TERMINATED BY '\n' ({', '.join(names)})" + (f" SET {', '.join(sets)}" if sets else "")
        )

    def _insert(self, connection: Connection, target: Target, place: str, rows: Rows) -> int:
        mark = ", ".join(self.form(column).format("%s") for column in target.kinds)
        cursor: Any = connection.connection.cursor()
        try:
            into = f"{place} ({self.names(target.columns)})".replace("%", "%%")
            insert, values = f"INSERT INTO {into} VALUES ({mark})", list(zip(*rows.columns, strict=True))
            most = most_of(connection)
            refuse_larger(cursor, insert, values, most)
            cursor.max_stmt_length = min(cursor.max_stmt_length, most)
            cursor.executemany(insert, values)
        finally:
            cursor.close()
        self._refuse(connection, target)
        return len(rows)

    def _refuse(self, connection: Connection, target: Target) -> None:
        """Look at what the last statement warned of.

        Raises:
            Refused: It has left rows out, or bent values where none may be.
        """
        told = connection.exec_driver_sql("SHOW WARNINGS").all()
        for _, code, text in told:
            if code not in _HARMLESS and (target.strict or code not in _BENT):
                raise Refused(_fault(text, code))

    def is_of_a_row(self, error: BaseException) -> bool:
        """Take also the server's words for values that are none, and what a trigger raises."""
        code = self.error_code(_original(error))
        return super().is_of_a_row(error) or code in _OF_A_ROW or _is_raised(code)

    def fault_of(self, error: BaseException, target: Target) -> Fault | None:
        """Return what the server says; which row it is it counts within one of several statements."""
        if not self.is_of_a_row(error):
            return None
        original = _original(error)
        return replace(_fault(self.error_text(original), self.error_code(original)), index=None)


def _is_raised(code: int | None) -> bool:
    """Tell whether a trigger has raised an error, by any number: MYSQL_ERRNO of SIGNAL sets one."""
    return code in _RAISED or (code is not None and code >= _TRIGGERS_OWN and code not in MEANINGS)


def _original(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _fault(text: str, code: int | None) -> Fault:
    row, place = _ROW.search(text), _COLUMN.search(text)
    number = int(row[1] or row[2]) if row else 0
    reason = re.sub(r" (?:at|for) row \d+\Z|\ARow \d+ ", "", text)
    column = (place["column"] or place["key"]) if place else None
    bare = f"a trigger refuses it (error {code})" if _is_raised(code) else None  # in words that may hold any value
    return Fault(reason, number - 1 if number else None, column, bare=bare)


def _digits(value: str) -> str:
    return value[2:] if value.startswith("\\x") else value.encode().hex()


backend = MySQLBulk
