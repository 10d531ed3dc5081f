"""The nodes of a cluster: what one says of itself, and what it sees of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from dbctl.errors import Unsupported
from dbctl.profiles.places import Place
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection


@record
class Peer:
    """Another node, as one sees it; None is what is not told.

    Attributes:
        name: What it is called there.
        place: Where it could be asked itself, where that is told.
        host: Its address alone, where no more is told.
        role: The part that it plays.
        state: What it does, in the words of the database.
        version: Its version.
        lag_s: For how many seconds what it was sent is not replayed by it yet.
        lag_bytes: How many bytes of the log it has not replayed yet.
        is_above: Whether the one that sees it follows it.
        is_below: Whether it follows the one that sees it.
    """

    name: str | None = None
    place: Place | None = None
    host: str | None = None
    role: str | None = None
    state: str | None = None
    version: str | None = None
    lag_s: float | None = None
    lag_bytes: int | None = None
    is_above: bool = False
    is_below: bool = False

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is told of it but that it follows."""
        return self.is_below and self.place is None and self.host is None and self.state is None


@record
class View:
    """What a node says of itself, and of the others; None is what it has not, or does not tell.

    Attributes:
        role: The part that it plays: primary, standby, apart.
        version: Its version.
        itself: What no other server has: by it one that is reached by two addresses is known for one.
        name: What it is called among the others.
        state: What it does, in the words of the database.
        cluster: What all nodes have in common: PostgreSQL's system identifier, Galera's UUID, a group's name.
        timeline: PostgreSQL's, which a standby that takes over begins anew.
        lag_s: For how many seconds what it has been sent is not replayed yet; None on one that follows nobody.
        peers: The others, as it sees them.
        missing: The synchronous standbys that a COMMIT waits for, and that are not there.
        notes: What it does not tell this user.
    """

    role: str | None
    version: str
    itself: str
    name: str | None = None
    state: str | None = None
    cluster: str | None = None
    timeline: int | None = None
    lag_s: float | None = None
    peers: Sequence[Peer] = ()
    missing: str | None = None
    notes: Sequence[str] = ()


class Nodes:
    """The part of a backend that knows of other nodes."""

    title: ClassVar[str]

    def view(self, connection: Connection) -> View:
        """Ask a node for itself and for the others.

        Raises:
            Unsupported: The database has no nodes.
        """
        raise Unsupported(f"{self.title} has no nodes: it is one file, on one machine")
