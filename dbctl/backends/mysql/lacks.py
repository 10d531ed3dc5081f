"""What mysqldump and mariadb-dump leave out of a database, most of it without a word."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbctl.backends.tools import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = logging.getLogger("dbctl")

_HISTORY_SINCE = (10, 11)
"""The first mariadb-dump that writes what a system-versioned table once had."""

_WITHOUT_MOMENT = """
SELECT table_name FROM information_schema.tables t JOIN information_schema.engines e USING (engine)
WHERE t.table_schema = database() AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND e.transactions <> 'YES'
ORDER BY table_name
"""
_VERSIONED = """
SELECT t.table_name, EXISTS (
    SELECT 1 FROM information_schema.columns c WHERE c.table_schema = database() AND c.table_name = t.table_name
    AND c.generation_expression = 'ROW START' AND c.data_type = 'bigint')
FROM information_schema.tables t
WHERE t.table_schema = database() AND t.table_type = 'SYSTEM VERSIONED' ORDER BY t.table_name
"""
_GRANT = re.compile(r"(GRANT|REVOKE) (.+) ON (\*|`(?:[^`]|``)*`)\.\* (?:TO|FROM) ")
_ALL = "ALL PRIVILEGES"
_SEEN_BY = {
    "tables": ["SELECT"],
    "triggers": ["TRIGGER"],
    "events": ["EVENT"],
    "routines": ["EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "SHOW_ROUTINE", "SHOW CREATE ROUTINE"],
}
"""By which rights, one of them, a user sees what a database has."""


def tell_of_engines(connection: Connection) -> None:
    """Warn of tables whose rows no transaction holds."""
    if names := list(connection.exec_driver_sql(_WITHOUT_MOMENT).scalars()):
        _log.warning(
            "no transaction holds a moment of %s, whose engine has none: writes meanwhile are seen in part",
            ", ".join(names),
        )


def unseen(connection: Connection, database: str | None) -> Iterator[str]:
    """Yield what a user lacks the right to see, of which a tool writes only what it sees; warn of it.

    Args:
        connection: A connection to the database.
        database: Its name.
    """
    granted = _granted(connection, database or "")
    if lacking := {what: rights[0] for what, rights in _SEEN_BY.items() if not granted & {*rights, _ALL}}:
        _log.warning(
            "this user may not see all of %s, and what it does not see is not in the backup: %s",
            database, ", ".join(f"{what} ({right})" for what, right in lacking.items()),
        )  # fmt: skip
    yield from (f"{what} that the user may not see, without {right}" for what, right in lacking.items())


def _granted(connection: Connection, database: str) -> set[str]:
    """Return what a user may do on a whole database, by itself and by the roles that it has now."""
    granted: set[str] = set()
    for said in connection.exec_driver_sql("SHOW GRANTS").scalars():
        found = _GRANT.match(said)
        if found and (found[3] == "*" or re.fullmatch(_pattern(found[3][1:-1].replace("``", "`")), database)):
            rights = {right.upper() for right in re.split(r",\s*", found[2])}
            granted = granted | rights if found[1] == "GRANT" else granted - rights
    return granted


def _pattern(place: str) -> str:
    """Return the regular expression for the names that a database's in a grant stands for, as LIKE reads it."""
    words = {"_": ".", "%": ".*"}
    return "".join(words.get(one) or re.escape(one[-1]) for one in re.findall(r"\\.|.", place))


def history(connection: Connection, tool: Version) -> tuple[list[str], list[str]]:
    """Return MariaDB's tables whose history the tool writes, and those whose it can't; warn of these.

    It writes that of all of them, or of none where one counts its rows' times by transactions.

    Args:
        connection: A connection to the database.
        tool: The tool's version.
    """
    versioned = connection.exec_driver_sql(_VERSIONED).all()
    names = [name for name, _ in versioned]
    by_transactions = [name for name, counts in versioned if counts]
    if not names or (tool >= _HISTORY_SINCE and not by_transactions):
        return names, []
    why = f"that of {', '.join(by_transactions)} is by transactions" if by_transactions else "it is older than 10.11"
    _log.warning("mariadb-dump can't write the history of %s: %s; the rows of now alone", ", ".join(names), why)
    return [], names
