"""What has been changed for good when a run that changes tables fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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

    title = backend.server_title(connection)
    try:
        with heard(connection, "after_execute", note):
            yield
    except BaseException as error:
        _tell(error, f"{title} commits DDL by itself, so what was {done}", done, changed)
        raise


@contextmanager
def telling_of_batches(dropped: Sequence[str]) -> Iterator[None]:
    """Have whatever ends the block tell which tables were dropped in batches that are committed.

    Args:
        dropped: Their names, as far as it has come.
    """
    try:
        yield
    except BaseException as error:
        _tell(error, "what was dropped in batches", "dropped", dropped)
        raise


def _tell(error: BaseException, what: str, done: str, changed: Sequence[str]) -> None:
    if not changed:
        return
    vars(error)["left"] = f"{what} {'stays' if done == 'created' else 'is gone'}: {', '.join(changed)}"
    if isinstance(error, DbctlError):
        mended = "when it is mended, " if isinstance(error, WorkRefused) else ""
        error.hint = f"{mended}a further run {'creates' if done == 'created' else 'drops'} the rest"
