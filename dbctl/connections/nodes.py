"""Machines of clusters that let one in, and can't be relied upon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.backends.base import Backend


def refuse_nodes(engine: Engine, backend: Backend) -> None:
    """Have each new connection of an engine refused that leads to a machine which takes no part in its cluster.

    It is asked before anything else is, which such a machine may answer with an error that does not name it.
    """
    from sqlalchemy import event

    @event.listens_for(engine, "connect", insert=True)
    def refuse(driver_connection: Any, _record: Any) -> None:
        backend.refuse_node(driver_connection)
