"""What mysqldump and mariadb-dump write, read as it passes: no string in it has a line's end of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_HEAD = re.compile(rb"INSERT INTO (`(?:[^`]|``)*`)(?: \((?:(?:`(?:[^`]|``)*`|row_start|row_end)(?:, ?)?)+\))? VALUES ?")
_STRINGS = re.compile(rb"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'", re.DOTALL)
_TOKEN = re.compile(rb"'(?:[^'\\]|\\.|'')*'|`(?:[^`]|``)*`\.?")
_NAMES_IT = rb"/\*!50001 VIEW |ALTER DATABASE `|    USING \(`"
_NAMING = re.compile(rb"^(?:%b).*$" % _NAMES_IT, re.MULTILINE)
_NAMING_ALL = re.compile(rb"^(?:%b|  `(?:[^`\n]|``)*` [^\n]* DEFAULT [^\n]*val\().*$" % _NAMES_IT, re.MULTILINE)
"""The lines that may have the database's name, with those of columns whose default is a sequence's."""
_EVENT = re.compile(
    rb"^(/\*!50106 CREATE\*/ .*?/\*!50106 EVENT (`(?:[^`]|``)*`) ON SCHEDULE .*? ON COMPLETION (?:NOT )?PRESERVE)"
    rb" ENABLE ",
    re.MULTILINE,
)
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
            if self._table is not None and line[:1] == b"(":
                self.rows[self._table] += 1
                if line.endswith(b");"):
                    self._table = None
            elif line[:1] in {b"I", b"D"}:
                self._statement(line)

    def _statement(self, line: bytes) -> None:
        """Take note of a statement's beginning; what stands in a trigger's or a routine's body is no row.

        MariaDB's has a line for each row; the first of them stands behind a list of columns, where there is one.
        """
        self._table = None
        if line.startswith(_DELIMITER):
            self._in_body = line != b"DELIMITER ;"
        elif not self._in_body and (found := _HEAD.match(line)):
            table = _plain(found[1])
            rows = _STRINGS.sub(b"", line[found.end() :]).count(b"(")
            self.rows[table] = self.rows.get(table, 0) + rows
            self._table = None if line.endswith(b");") else table


def without_place(dump: Iterator[bytes], place: str, *, sequences: bool) -> Iterator[bytes]:
    """Yield a dump without the name of its database in the few statements that have it: they would lead elsewhere.

    Those are the collation that a trigger or a routine was made by, the libraries of MySQL's routines, and of MariaDB's
    the defaults by a sequence, and views whose definer is not there.

    Args:
        dump: The dump, part by part.
        place: The database's quoted name.
        sequences: Whether its sequences are there where it is read.
    """
    named, naming = place.encode(), _NAMING_ALL if sequences else _NAMING
    rest: list[bytes] = []
    for chunk in dump:
        end = chunk.rfind(b"\n") + 1
        if not end:
            rest.append(chunk)
            continue
        whole, rest = b"".join([*rest, chunk[:end]]), [chunk[end:]]
        yield naming.sub(lambda found: _unplaced(found[0], named), whole) if named in whole else whole
    yield b"".join(rest)


def _unplaced(definition: bytes, named: bytes) -> bytes:
    beginning = b"ALTER DATABASE " + named
    if definition.startswith(beginning):
        return b"ALTER DATABASE" + definition.removeprefix(beginning)
    return _TOKEN.sub(lambda found: b"" if found[0] == named + b"." else found[0], definition)


def paused(dump: Iterator[bytes], names: set[str]) -> Iterator[bytes]:
    """Yield a dump whose events are disabled, and note the names of those that were not.

    Args:
        dump: The dump, of whose parts each ends with a line.
        names: Where they are noted.
    """

    def disabled(found: re.Match[bytes]) -> bytes:
        names.add(_plain(found[2]))
        return found[1] + b" DISABLE "

    for chunk in dump:
        yield _EVENT.sub(disabled, chunk) if b"/*!50106 EVENT " in chunk else chunk


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
