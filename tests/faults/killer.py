"""Backends killed at random, the more the more they do."""

import contextlib
import random
import threading
from types import TracebackType
from typing import Any, Self

from tests.harness.database import TestDatabase
from tests.servers.proxy import Proxy
from tests.servers.server import Server

_SESSIONS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = %s",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = %s",
}
_KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}
_PAUSE = (60, 150)
"""Pieces of conversation between two kills, at least and at most: a slow machine kills no more often for the same work.
"""


class Killer(threading.Thread):
    """Kills a random session of a database again and again.

    Parameters:
        database: whose sessions.
        proxy: what they all go through, which tells how much they do.
        dice: what decides.

    Attributes:
        kills: how many it has killed.
    """

    def __init__(self, database: TestDatabase, proxy: Proxy, dice: random.Random) -> None:
        super().__init__(daemon=True)
        assert database.server
        self._server: Server = database.server
        self._name = database.name
        self._proxy = proxy
        self._dice = dice
        self._over = threading.Event()
        self.kills = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self.join(10)

    def run(self) -> None:
        with contextlib.closing(self._server.connect()) as connection:
            cursor = connection.cursor()
            while self._pause(self._dice.randint(*_PAUSE)):
                cursor.execute(_SESSIONS[self._server.dialect], [self._name])
                if found := cursor.fetchall():
                    self.kills += self._kill(cursor, self._dice.choice(found)[0])

    def _pause(self, pieces: int) -> bool:
        """Wait until so many more pieces have passed; tell whether it is not over."""
        end = self._proxy.pieces + pieces
        while self._proxy.pieces < end:
            if self._over.wait(0.005):
                return False
        return True

    def _kill(self, cursor: Any, session: int) -> bool:
        try:
            cursor.execute(_KILL[self._server.dialect].format(int(session)))
        except Exception:  # it is gone by itself: each driver has its own error for that
            return False
        return True
