"""Scripts on SQLite, which says itself where a statement is complete.

https://www.sqlite.org/c3ref/complete.html
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dbctl.backends.scripts import Scripts, Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection


class SQLiteScripts(Scripts):
    """How SQLite runs scripts."""

    quoted = (
        r"--[^\n]*|/\*(?:.|\n)*?(?:\*/|\Z)|'(?:[^']|'')*(?:'|\Z)|\"(?:[^\"]|\"\")*(?:\"|\Z)|`(?:[^`]|``)*(?:`|\Z)"
        r"|\[[^\]]*(?:\]|\Z)"
    )
    client_words = r"\\\S+|DELIMITER\b|\.[a-z]\w*"
    no_transaction = r"from within a transaction"

    def statements(self, script: str) -> list[Statement]:
        """Return the statements as SQLite itself splits them."""
        found = []
        start = 0
        for end in [*(match.end() for match in re.finditer(";", script)), len(script)]:
            if sqlite3.complete_statement(script[start:end]) or end == len(script):
                code = self.code(script[start:end])
                if text := code.strip("; \t\r\n"):
                    begin = start + code.index(text[0])
                    found.append(Statement(begin, script[begin:end].rstrip("; \t\r\n")))
                start = end
        return found

    def run_script(self, driver_connection: Any, script: str) -> Iterator[int]:
        """Run one statement after the other."""
        for statement in self.statements(script):
            cursor = driver_connection.cursor()
            cursor.execute(statement.text)
            yield len(cursor.fetchall()) if cursor.description else cursor.rowcount
            cursor.close()

    def lasts(self, connection: Connection, mark: object) -> bool:
        """Ask the connection, which knows whether it was told to commit or to roll back."""
        driver_connection: Any = connection.connection.driver_connection
        found = getattr(driver_connection, "_conn", driver_connection)  # aiosqlite has the driver's own in it
        return bool(found.begun)

    def failed_offset(self, error: BaseException, statement: Statement) -> int:
        """Find the token that SQLite's message names, which has no place by itself."""
        named = r'near "(.+?)": syntax error|no such (?:column|table|function): (\S+)|has no column named (\S+)'
        if near := re.search(named, str(error), re.DOTALL):
            found = re.search(rf"(?<!\w){re.escape(near[near.lastindex or 0])}(?!\w)", statement.text)
            return statement.start + (found.start() if found else 0)
        return statement.start

    def let_commit(self, driver_connection: Any) -> None:
        """Look for the end of no transaction: without a BEGIN, SQLite commits each statement by itself."""
        driver_connection.watched = False
