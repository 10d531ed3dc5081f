"""What mysqldump and mariadb-dump write, read as it passes: no string in it has a line's end of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_HEAD = re.compile(rb"INSERT INTO (`(?:[^`]|``)*`)(?: \((?:`(?:[^`]|``)*`(?:, ?)?)+\))? VALUES ?")
_STRINGS = re.compile(rb"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'", re.DOTALL)
_SECTION = re.compile(rb"-- (Table structure for table|Dumping data for table) (`(?:[^`]|``)*`)")
_OTHERS = re.compile(rb"-- (Temporary |Final |Dumping |Sequence |Dump completed)")
_DELIMITER = b"DELIMITER "


class DumpedRows:
    """Counts the rows of INSERT statements as a dump passes."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self._rest: list[bytes] = []
        self._table: str | None = None
        self._in_body = False

    def feed(self, chunk: bytes) -> None:
        """Take note of the next part."""
        end = chunk.rfind(b"\n")
        if end < 0:
            self._rest.append(chunk)
            return
        whole = b"".join([*self._rest, chunk[:end]])
        self._rest = [chunk[end + 1 :]]
        for line in whole.split(b"\n"):
            if self._table is not None and line[:1] == b"(":  # MariaDB's has a line for each row
                self.rows[self._table] += 1
            elif line[:1] in {b"I", b"D"}:
                self._statement(line)

    def _statement(self, line: bytes) -> None:
        """Take note of a statement's beginning; what stands in a trigger's or a routine's body is no row."""
        self._table = None
        if line.startswith(_DELIMITER):
            self._in_body = line != b"DELIMITER ;"
        elif not self._in_body and (found := _HEAD.match(line)):
            table = _plain(found[1])
            rows = _STRINGS.sub(b"", line[found.end() :]).count(b"(")
            self.rows[table] = self.rows.get(table, 0) + rows
            self._table = None if rows else table


def made_of(dump: Iterator[bytes], tables: Collection[str]) -> Iterator[bytes]:
    """Yield of a dump what it begins with, and the statements that make and fill some tables, with their triggers.

    Args:
        dump: The dump, part by part.
        tables: The names of the tables.
    """
    passes, in_body = True, False
    for lines in _lines(dump):
        kept = []
        for line in lines:
            if line.startswith(_DELIMITER):
                in_body = line != b"DELIMITER ;"
            elif not in_body and line.startswith(b"-- "):
                if found := _SECTION.match(line):
                    passes = _plain(found[2]) in tables
                elif _OTHERS.match(line):
                    passes = False
            if passes:
                kept.append(line + b"\n")
        yield b"".join(kept)


def _lines(dump: Iterator[bytes]) -> Iterator[list[bytes]]:
    rest: list[bytes] = []
    for chunk in dump:
        rest.append(chunk)
        if b"\n" in chunk:
            *whole, last = b"".join(rest).split(b"\n")
            yield whole
            rest = [last]
    yield [b"".join(rest)]


def _plain(quoted: bytes) -> str:
    return quoted[1:-1].replace(b"``", b"`").decode()
