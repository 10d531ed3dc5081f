"""Tables that say something of the very database they are in, and are wrong in another: alembic's, and dbctl's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbctl.backends.copies import PLACES
from dbctl.backends.exports import run_as_it_stands
from dbctl.backends.lock_statements import TABLE as LOCKS
from dbctl.backends.names import called
from dbctl.bulk.reading_out import Moment, like, usual_schema
from dbctl.errors import NotFound

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.inventory import Relation

_VERSION = {"version_num"}
_HALFWAY = {"revision", "direction", "done", "digest", "statement"}
"""The columns of alembic's table, and of dbctl's beside it, which both have the name that an env.py gives them."""

_log = logging.getLogger("dbctl")


def without_own(moment: Moment, relations: Sequence[Relation]) -> Sequence[Relation]:
    """Return tables but for dbctl's own: locks, places of a copy, revisions that are done in part."""
    return [one for one in relations if one.name not in {LOCKS, PLACES} and not _has(moment, one, _HALFWAY)]


def stays(moment: Moment, relation: Relation, backend: Bulk, connection: Connection, *, create: bool) -> bool:
    """Tell whether a table is alembic's, and what the target has of it stays; say so, and where the two are.

    It comes along only where tables are created, and the target is at no revision yet.

    Args:
        moment: The source.
        relation: Its table.
        backend: That of the target.
        connection: The target's connection.
        create: Whether tables that the target lacks are created.
    """
    if not _has(moment, relation, _VERSION):
        return False
    name, title = called(relation, usual_schema(moment.connection)), backend.profile.called
    theirs = _revisions(moment.connection, moment.backend, relation)
    try:
        own = _revisions(connection, backend, like(moment, backend, connection, relation))
    except NotFound:
        own = []
    if create and not own:
        return False
    if own == theirs:
        _log.info("%s is left out: both are at %s", name, _said(own))
    else:
        text = "%s is left out, and differs: %s is at %s, the source at %s (migrate brings it there, or stamp)"
        _log.warning(text, name, title, _said(own), _said(theirs))
    return True


def _has(moment: Moment, relation: Relation, columns: set[str]) -> bool:
    if "version" not in relation.name.lower():  # as alembic's is called, and what people call it
        return False
    return {one.name for one in moment.backend.table_columns(moment.connection, relation)} == columns


def _revisions(connection: Connection, backend: Bulk, relation: Relation) -> Sequence[str]:
    query = f"SELECT version_num FROM {backend.behind_from(relation)}"
    return sorted(run_as_it_stands(connection, query).scalars())


def _said(revisions: Sequence[str]) -> str:
    return ", ".join(revisions) or "none"
