"""What a bank is put under: backends killed at random, and connections cut at random by a proxy before the server."""

import contextlib
import random
import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import Any, Self

from tests.harness.database import TestDatabase
from tests.servers.server import Server

_SESSIONS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = %s",
    "mariadb": "SELECT id FROM information_schema.processlist WHERE db = %s",
}
_KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mariadb": "KILL {}"}
_PAUSE = (0.02, 0.05)
"""Seconds between two kills, at least and at most."""
_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing resets the connection."""


class Killer(threading.Thread):
    """Kills a random session of a database again and again.

    Attributes:
        kills: how many it has killed.
    """

    def __init__(self, database: TestDatabase) -> None:
        super().__init__(daemon=True)
        assert database.server
        self._server: Server = database.server
        self._name = database.name
        self._dice = random.Random(1)
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
            while not self._over.wait(self._dice.uniform(*_PAUSE)):
                cursor.execute(_SESSIONS[self._server.kind], [self._name])
                if found := cursor.fetchall():
                    self.kills += self._kill(cursor, self._dice.choice(found)[0])

    def _kill(self, cursor: Any, session: int) -> bool:
        try:
            cursor.execute(_KILL[self._server.kind].format(int(session)))
        except Exception:  # it is gone by itself: each driver has its own error for that
            return False
        return True


class Cutter(threading.Thread):
    """A proxy on loopback which cuts, with some probability, the connection on which something has come.

    It cuts before what a client says reaches the server, or after it: then the answer never reaches the client, who
    can't know what was done. Or in the middle of what it hands on.

    Attributes:
        port: where it listens, on 127.0.0.1.
        cuts: how many connections it has cut.
    """

    host = "127.0.0.1"

    def __init__(self, server_port: int, probability: float) -> None:
        super().__init__(daemon=True)
        self._server_port = server_port
        self._probability = probability
        self._dice = random.Random(2)
        self._selector = selectors.DefaultSelector()
        self._over = False
        self._listener = socket.create_server((self.host, 0), backlog=100)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.port = self._listener.getsockname()[1]
        self.cuts = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over = True
        self.join(10)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # all of them are sockets
        self._selector.close()

    def run(self) -> None:
        while not self._over:
            for key, _ in self._selector.select(0.1):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj.fileno() >= 0:  # type: ignore[union-attr]  # else just closed, with its other side
                    self._hand_on(key.fileobj, key.data)

    def _accept(self) -> None:
        client = self._listener.accept()[0]
        server = socket.create_connection((self.host, self._server_port), 10)
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(client, selectors.EVENT_READ, server)
        self._selector.register(server, selectors.EVENT_READ, client)

    def _hand_on(self, source: Any, target: socket.socket) -> None:
        try:
            data = source.recv(65536)
            cut = bool(data) and self._dice.random() < self._probability
            target.sendall(data[: self._dice.choice((0, len(data) // 2, len(data)))] if cut else data)
        except OSError:
            data, cut = b"", False
        self.cuts += cut
        if cut or not data:
            self._close(source, abort=cut and self._dice.random() < 0.5)
            self._close(target, abort=False)  # the server still does what it has got

    def _close(self, sock: socket.socket, *, abort: bool) -> None:
        self._selector.unregister(sock)
        if abort:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        sock.close()
