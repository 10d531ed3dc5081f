"""What is open while the process forks stays its parent's: a fork sends nothing by it, nor ends it.

Two processes on one connection read each other's answers, and what the one rolls back the other commits the rest of.
https://docs.sqlalchemy.org/en/20/core/pooling.html#using-connection-pools-with-multiprocessing-or-os-fork
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlmodel import Session

_open: set[Any] = set()
_parents: set[Any] = set()


def stays_with_parent(thing: Any) -> None:
    """Leave a session or a lock, until it is over, to this process alone, whichever forks come of it."""
    _open.add(thing)


def is_over(thing: Any) -> None:
    """Hear that there is nothing open of it any more."""
    _open.discard(thing)


def is_parents(thing: Any) -> bool:
    """Tell whether it was opened by the process that this one is a fork of."""
    return thing in _parents


def refuse_parents(session: Session) -> None:
    """Refuse to work in a unit of the parent's.

    Raises:
        WorkRefused: It is one.
    """
    if is_parents(session):
        raise WorkRefused(
            "the unit of work belongs to the process that this one is a fork of", "begin one of its own in the fork"
        )


def _leave_to_parent() -> None:
    """Keep what the parent has open for as long as this process lives: its end would be sent to the server."""
    for thing in list(_open):
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))  # when Python itself ends, all else is let go
        _parents.add(thing)


os.register_at_fork(after_in_child=_leave_to_parent)
