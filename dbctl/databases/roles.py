"""Roles that work in a profile's database: created, and granted what they are for."""

from __future__ import annotations

import logging
from collections.abc import Callable

from dbctl.backends.databases import Purpose
from dbctl.records import record
from dbctl.results import PlainText
from dbctl.work.database import Database

_log = logging.getLogger("dbctl")


@record
class RoleState:
    """A role, what it is for, and whether it was `created` or `exists`; either way it has its grants."""

    role: str
    purpose: str
    state: str


@record
class Grant(PlainText):
    """A statement that creates a role, or grants it something."""

    sql: str

    def __str__(self) -> str:
        return f"{self.sql};\n"


def create(database: Database, name: str, purpose: Purpose, password: Callable[[], str]) -> list[RoleState | Grant]:
    """Create a role unless it is there, and grant it what it is for, with tables to come too.

    Args:
        database: Where, by a role that may create roles.
        name: The role; on MySQL it may be `name@host`.
        purpose: What it is for.
        password: Returns its password; called where it is created. It is sent as a verifier, and never itself.

    Returns:
        What was done; of a dry run the statements, without what proves the password.

    Raises:
        Unsupported: The database has no roles.
        WorkRefused: The role that asks may not.
        UsageError: None can have that name.
    """
    from dbctl.connections.echoing import without_passwords

    backend = database.backend
    backend.refuse_name(name)
    connection = database.session.connection().execution_options(no_parameters=True)
    exists = backend.has_role(connection, name)
    statements: list[str] = []

    def run(statement: str) -> None:
        statements.append(without_passwords(statement))
        if not database.dry_run:
            connection.exec_driver_sql(statement)

    if not exists:
        run(backend.role_creating(connection, name, "" if database.dry_run else password()))
    for statement in backend.role_grants(connection, name, purpose):
        run(statement)
    for remark in backend.role_remarks(connection, name, purpose):
        _log.warning("%s: %s", name, remark)
    if database.dry_run:
        return [Grant(one) for one in statements]
    return [RoleState(name, purpose.value, "exists" if exists else "created")]
