"""Scripts on MySQL and MariaDB: sent whole, which the server splits where it is told to take several statements.

https://dev.mysql.com/doc/c-api/8.4/en/c-api-multiple-queries.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dbctl.backends.origins import note_origin
from dbctl.backends.scripts import Scripts, Statement
from dbctl.profiles import Profile

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SET_OPTION = 0x1B
"""COM_SET_OPTION, https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_set_option.html"""

_MARK = "dbctl_unit"
"""The savepoint that a marked transaction begins with: START TRANSACTION would forbid SET TRANSACTION after it."""

_NO_SAVEPOINT = 1305
"""ER_SP_DOES_NOT_EXIST, which is said of a savepoint too."""

_SEVERAL, _ONE = 0, 1
"""MYSQL_OPTION_MULTI_STATEMENTS_ON and _OFF."""


class MySQLScripts(Scripts):
    """How MySQL and MariaDB run scripts."""

    profile: Profile
    quoted = (
        r"--(?=\s|\Z)[^\n]*|#[^\n]*|/\*(?:.|\n)*?(?:\*/|\Z)"
        r"|'(?:[^'\\]|\\(?:.|\n)|'')*(?:'|\Z)|\"(?:[^\"\\]|\\(?:.|\n)|\"\")*(?:\"|\Z)|`(?:[^`]|``)*(?:`|\Z)"
    )
    executed_comments = ("/*!", "/*M!")
    compound = r"CREATE\b.*\b(?:FUNCTION|PROCEDURE|TRIGGER|EVENT|PACKAGE)\b"
    client_words = r"\\\S+|DELIMITER\b|SOURCE\b(?!\s*[=:])"

    def literal(self, driver_connection: Any, value: str) -> str:
        """Have PyMySQL quote it, as the session's sql_mode wants it."""
        return str(driver_connection.literal(value))

    def run_script(self, driver_connection: Any, script: str) -> Iterator[int]:
        """Send it whole, and yield the rows of each statement as its result comes."""
        _take(driver_connection, _SEVERAL)
        try:
            with driver_connection.cursor() as cursor:
                cursor.execute(script)
                yield int(cursor.rowcount)
                while cursor.nextset():
                    yield int(cursor.rowcount)
        except Exception as error:
            note_origin(error, self.profile, connection=driver_connection, lost=not driver_connection.open)
            raise
        finally:
            if driver_connection.open:
                _take(driver_connection, _ONE)

    def failed_offset(self, error: BaseException, statement: Statement) -> int:
        """Find the line and the text, or the name, that MySQL's message has."""
        message, text = str(error.args[-1] if error.args else ""), statement.text
        if near := re.search(r"near '(.*)' at line (\d+)$", message, re.DOTALL):
            before = sum(map(len, text.splitlines(keepends=True)[: int(near[2]) - 1]))
            first = near[1].partition(";")[0].partition("\n")[0]
            at = text.find(first, before) if first else len(text)
            return statement.start + max(at, before)
        if named := re.search(r"(?:column|Table|FUNCTION|PROCEDURE) '?(?:[^'\s]*\.)?([^'.\s]+)'? ", f"{message} "):
            found = re.search(rf"(?<!\w){re.escape(named[1])}(?!\w)", text)
            return statement.start + (found.start() if found else 0)
        return statement.start

    def mark(self, connection: Connection) -> None:
        """Begin it with a savepoint, which is gone with its transaction.

        https://dev.mysql.com/doc/refman/8.4/en/savepoint.html
        """
        connection.exec_driver_sql(f"SAVEPOINT {_MARK}")

    def lasts(self, connection: Connection, mark: object) -> bool:
        """Look whether the savepoint is still there."""
        from sqlalchemy.exc import DBAPIError

        try:
            connection.exec_driver_sql(f"RELEASE SAVEPOINT {_MARK}")
        except DBAPIError as error:
            if error.orig is None or error.orig.args[:1] != (_NO_SAVEPOINT,):
                raise
            return False
        return True

    def let_commit(self, driver_connection: Any) -> None:
        """Have each statement on a connection committed by itself."""
        driver_connection.autocommit(True)


def _take(driver_connection: Any, how_many: int) -> None:
    """Tell the server how many statements it may be sent at once: PyMySQL has no public word for that."""
    driver_connection._execute_command(_SET_OPTION, struct.pack("<H", how_many))
    driver_connection._read_packet()
