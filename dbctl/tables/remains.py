"""What has been changed for good when a run that changes tables fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.connections.watching import told_if_ended
from dbctl.errors import DbctlError, WorkRefused
from dbctl.tables.statements import heard

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend


@contextmanager
def telling_what_stays(connection: Connection, backend: Backend, done: str) -> Iterator[None]:
    """Have whatever ends the block tell what it has changed for good, where the database commits DDL by itself.

    Args:
        connection: What the block changes tables on.
        backend: The backend of its database.
        done: What it does to them: "created" or "dropped".
    """
    from sqlalchemy.schema import CreateTable, DropTable

    if backend.transactional_ddl:
        yield
        return
    changed: list[str] = []

    def note(element: Any, *_arguments: Any) -> None:
        if isinstance(element, CreateTable | DropTable):
            changed.append(str(element.element))

    what = f"{backend.server_title(connection)} commits DDL by itself, so what was {done}"
    try:
        with told_if_ended(lambda: _told(what, done, changed)), heard(connection, "after_execute", note):
            yield
    except BaseException as error:
        _tell(error, what, done, changed)
        raise


@contextmanager
def telling_of_batches(dropped: Sequence[str]) -> Iterator[None]:
    """Have whatever ends the block tell which tables were dropped in batches that are committed.

    Args:
        dropped: Their names, as far as it has come.
    """
    what = "what was dropped in batches"
    try:
        with told_if_ended(lambda: _told(what, "dropped", dropped)):
            yield
    except BaseException as error:
        _tell(error, what, "dropped", dropped)
        raise


def _told(what: str, done: str, changed: Sequence[str]) -> str:
    return f"{what} {'stays' if done == 'created' else 'is gone'}: {', '.join(changed)}" if changed else ""


def _tell(error: BaseException, what: str, done: str, changed: Sequence[str]) -> None:
    if not changed:
        return
    vars(error)["left"] = _told(what, done, changed)
    if isinstance(error, DbctlError):
        mended = "when it is mended, " if isinstance(error, WorkRefused) else ""
        error.hint = f"{mended}a further run {'creates' if done == 'created' else 'drops'} the rest"
