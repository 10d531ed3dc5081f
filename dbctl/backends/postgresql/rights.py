"""Rights of a backup that is read without owners: what names roles, each statement by itself.

pg_restore sends all that an object grants at once, and a role that is not there would cost the others theirs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.postgresql.backups import PostgreSQLBackups

_log = logging.getLogger("dbctl")

_FOR_PSQL = re.compile(r"^\\(?:un)?restrict .*$", re.MULTILINE)
"""What only psql obeys of what pg_restore writes."""

_UNKNOWN = "42704"
"""undefined_object, such as a role."""

_FOR_SESSION = ("SET ", "RESET ", "SELECT pg_catalog.set_config(")
_ROLES_OF_POLICY = re.compile(r"(?<= TO ).*?(?= USING \(| WITH CHECK \(|$)", re.DOTALL)


def give(backend: PostgreSQLBackups, connection: Connection, script: str) -> None:
    """Run what pg_restore has written, and tell what can't be done here.

    What another role had granted is granted by this one where that is not there. A setting may be of a newer server.

    Args:
        backend: The backend.
        connection: A connection to the database, on which each statement commits.
        script: The statements.
    """
    from sqlalchemy.exc import DBAPIError

    roles = {"public", *connection.exec_driver_sql("SELECT rolname FROM pg_roles").scalars()}
    for statement in backend.statements(_FOR_PSQL.sub("", script)):
        text = statement.text
        try:
            connection.exec_driver_sql(_for_those(backend, text, roles) if text.startswith("CREATE POLICY ") else text)
        except DBAPIError as error:
            code, why = backend.error_code(error.orig or error), backend.error_text(error.orig or error)
            of_nobody = code == _UNKNOWN and text.startswith("REVOKE ")
            if of_nobody or text.startswith(_FOR_SESSION):
                continue
            if code not in (_UNKNOWN, *backend.rights_missing):
                raise
            _log.warning("restored without this: %s: %s", _line(text), why)


def _for_those(backend: PostgreSQLBackups, policy: str, there: Collection[str]) -> str:
    """Return a policy for those of its roles that are there, whose rows it may hide; as it is where none of them is."""
    match = _ROLES_OF_POLICY.search(backend.code(policy))
    roles = re.findall(r'"(?:[^"]|"")*"|[^,\s]+', policy[match.start() : match.end()]) if match else []
    known = [role for role in roles if re.sub(r'"(.)|"$', r"\1", role) in there]
    if not match or not known or known == roles:
        return policy
    missing = ", ".join(role for role in roles if role not in known)
    _log.warning("restored for those of its roles that are there, without %s: %s", missing, _line(policy))
    return policy[: match.start()] + ", ".join(known) + policy[match.end() :]


def _line(statement: str) -> str:
    """Return what is told of a statement: not the options of a user mapping, such as its password."""
    if statement.startswith("CREATE USER MAPPING "):
        statement = statement.partition(" OPTIONS (")[0]
    return " ".join(statement.split())
