"""The server's own count of connections while a pool is loaded, and when that is to end lest it do harm."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbctl.backends.audit import ServerUsage
from dbctl.backends.sessions import SessionThere
from dbctl.connections.connector import opened
from dbctl.connections.watching import is_ended
from dbctl.errors import CheckFailed
from dbctl.profiles import Profile
from dbctl.runtime.waits import is_done, result_of, started

if TYPE_CHECKING:
    from concurrent.futures import Future

    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

SPARE = 5
"""Connections that are left to others: with fewer free at the server no more load is put on it."""

_BETWEEN = 0.2
"""Seconds between two looks."""

_SOON = 0.05
"""Seconds that an answer is waited for while the load has to be looked after."""

_TO_CLOSE = 0.5
"""Seconds that the server has to end the sessions of a pool that was closed."""


class ServerSide:
    """Looks at the server by a connection of its own, which is counted there too.

    Attributes:
        before: What the server said at the start; None where there is no server.
        peak: What it said when most were in use.
        lists_sessions: Whether each look asks for all sessions too.
        sessions: Those of the last look, but this one's own.
    """

    def __init__(self, connection: Connection | None, backend: Backend) -> None:
        self._connection = connection
        self._backend = backend
        self._next = 0.0
        self._looking: Future[ServerUsage | None] | None = None
        self._by_force = False
        self.lists_sessions = False
        self.sessions: Sequence[SessionThere] = ()
        self.latest: ServerUsage | None = None
        self.peak: ServerUsage | None = None
        self.before = self.look()

    def look(self) -> ServerUsage | None:
        """Ask now."""
        self._last_look()
        return self._look()

    def _look(self) -> ServerUsage | None:
        if self._connection is None:
            return None
        self._next = time.monotonic() + _BETWEEN
        self.latest = self._backend.usage(self._connection)
        if self.peak is None or self.latest.in_use > self.peak.in_use:
            self.peak = self.latest
        if self.lists_sessions:
            there = self._backend.activity.sessions_there(self._connection).sessions
            self.sessions = [each for each in there if not each.is_own]
        self._connection.rollback()  # no AUTOCOMMIT: MySQL's drivers ask the server for that, with nothing to bound it
        return self.latest

    def look_if_due(self) -> str:
        """Ask where the last time is long enough ago, and say why the load is to end, or "".

        An answer that takes long, as behind a pooler whose places the load has, is not waited for: it is seen later.
        """
        if self._looking is None:
            if self._connection is None or time.monotonic() < self._next or is_ended():
                return ""
            self._looking = started(self._look)
        if not is_done(self._looking, _SOON):
            return ""
        usage = self._last_look()
        return self._harm(usage) if usage else ""

    def _harm(self, usage: ServerUsage) -> str:
        """Say why the load is to end, or "": by force it may have all that is its user's own, not all of the server."""
        if (left := usage.limit - usage.in_use) < SPARE:
            return f"the server had {max(0, left)} of {usage.limit} connections left"
        if usage.headroom < SPARE and not self._by_force:
            return f"{usage.narrowest} had {usage.headroom} connections left"
        return ""

    def _last_look(self) -> ServerUsage | None:
        """Return what was said to who asked last, when it is; None where nobody has."""
        looking, self._looking = self._looking, None
        return result_of(looking) if looking else None

    def leave(self) -> None:
        """Let who asks still have a moment, for the connection is closed then."""
        if self._looking:
            is_done(self._looking, _TO_CLOSE)

    def refuse(self, wanted: int, *, force: bool) -> None:
        """Refuse more connections than the server, or a limit of the user's own, has room for.

        Args:
            wanted: How many would be opened.
            force: Whether to let that pass.

        Raises:
            CheckFailed: There is no room, or too little would be left for others.
        """
        self._by_force = force
        if self.before is None or force:
            return
        if wanted > (room := self.before.headroom - SPARE):
            raise CheckFailed(
                f"{self._backend.profile.called}: the load may open {wanted} connections, and the server has room for"
                f" {max(0, room)} more: {self.before.narrowest} leaves {self.before.headroom}, of which {SPARE}"
                " are kept for others",
                hint="lower --concurrency, or say --force",
            )

    def after(self) -> ServerUsage | None:
        """Ask what is left when the pool is closed; the server has a moment to end its sessions."""
        if self.before is None or is_ended():
            return None
        end = time.monotonic() + _TO_CLOSE
        while (usage := self.look()) and usage.in_use > self.before.in_use and time.monotonic() < end:
            time.sleep(0.05)
        return usage


@contextmanager
def server_side(profile: Profile) -> Iterator[ServerSide]:
    """Have a connection beside a load, by the sync driver, where there is a server; no transaction stays open."""
    from dbctl.connections.response_timeouts import bound_questions

    with opened(profile) as connector:
        if not connector.backend.needs_host:
            yield ServerSide(None, connector.backend)
            return
        bound_questions(connector.engine, connector.backend)
        with connector.engine.connect() as connection:
            server = ServerSide(connection, connector.backend)
            try:
                yield server
            finally:
                server.leave()
