"""A TCP proxy on loopback before a test server, which counts what passes and cuts a connection at a given byte."""

import contextlib
import re
import selectors
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

# PostgreSQL's Query, and MySQL's COM_QUERY in its packet: five bytes each before the text of the statement.
_COMMIT = re.compile(rb"(?s)(?:Q.{4}COMMIT;?\0|.{4}\x03COMMIT\Z)")
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a close throws away what is under way, and sends RST


class Way(Enum):
    """A direction."""

    TO_SERVER = "client to server"
    TO_CLIENT = "server to client"


class End(Enum):
    """What a fault does to both sides of a connection."""

    RESET = "RST"
    CLOSE = "FIN"
    SILENCE = "silence"


@dataclass
class Conversation:
    """What came through one connection.

    Attributes:
        pieces: what was read, in order, also what a fault kept back.
        passed: how many bytes were handed on each way.
        at_commit: how many had been when COMMIT came from the client; None while it has not come.
        struck: whether the fault has come.
    """

    pieces: list[tuple[Way, bytes]] = field(default_factory=list)
    passed: dict[Way, int] = field(default_factory=lambda: dict.fromkeys(Way, 0))
    at_commit: dict[Way, int] | None = None
    struck: bool = False

    @property
    def commits(self) -> int:
        """How many COMMITs the client has sent, as far as they came to the proxy."""
        return sum(bool(_COMMIT.search(data)) for way, data in self.pieces if way is Way.TO_SERVER)

    def note(self, way: Way, data: bytes) -> None:
        """Take note of what was read."""
        self.pieces.append((way, data))
        if self.at_commit is None and way is Way.TO_SERVER and (found := _COMMIT.search(data)):
            self.at_commit = {**self.passed, way: self.passed[way] + found.start()}


@dataclass(frozen=True)
class Fault(ABC):
    """What befalls one connection.

    Attributes:
        end: what becomes of it.
        refusing: whether the proxy takes no connection any more after that.
    """

    end: End
    refusing: bool = field(default=False, kw_only=True)

    @abstractmethod
    def spared(self, conversation: Conversation, way: Way, data: bytes) -> int | None:
        """Return how many bytes of this piece still pass before the fault; None if it does not strike in it."""


@dataclass(frozen=True)
class CutAfter(Fault):
    """The connection ends after so many bytes of one way, of the whole conversation or of what COMMIT begins."""

    way: Way
    place: int
    of_commit: bool = False

    def spared(self, conversation: Conversation, way: Way, data: bytes) -> int | None:
        """Count this way's bytes."""
        begin = conversation.at_commit if self.of_commit else dict.fromkeys(Way, 0)
        if way is not self.way or begin is None:
            return None
        left = begin[way] + self.place - conversation.passed[way]
        return left if left <= len(data) else None


@dataclass(frozen=True)
class CommitLost(Fault):
    """COMMIT does not reach the server, and the connection ends."""

    def spared(self, conversation: Conversation, way: Way, data: bytes) -> int | None:
        """Keep COMMIT back."""
        return 0 if way is Way.TO_SERVER and conversation.at_commit is not None else None


@dataclass(frozen=True)
class ReplyLost(Fault):
    """The server's answer to COMMIT does not reach the client, and the connection ends."""

    def spared(self, conversation: Conversation, way: Way, data: bytes) -> int | None:
        """Keep back what comes after COMMIT."""
        return 0 if way is Way.TO_CLIENT and conversation.at_commit is not None else None


class Cutter:
    """The proxy. Each fault that is expected strikes one connection, in their order; all further ones pass.

    Attributes:
        conversations: those since the last `expect`.
    """

    host = "127.0.0.1"

    def __init__(self, port: int) -> None:
        """Plan a proxy before the server on this port of loopback."""
        self._server_port = port
        self._faults: list[Fault] = []
        self._over = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.conversations: list[Conversation] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.host, 0))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._refuse()
        for sock in list(self._open):
            with contextlib.suppress(OSError):  # it is closed already
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def expect(self, *faults: Fault) -> None:
        """Let the faults strike the next connections, and no others; forget the conversations before them."""
        self.conversations.clear()
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._faults = list(faults)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _refuse(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes who waits for the next connection
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                client = self._listener.accept()[0]
                fault = self._faults.pop(0) if self._faults else None
                conversation = Conversation()
                self.conversations.append(conversation)
                self._start(self._converse, client, conversation, fault)

    def _converse(self, client: socket.socket, conversation: Conversation, fault: Fault | None) -> None:
        # What one side closes is closed to the other; an OSError is a side that was reset.
        with client, contextlib.suppress(OSError), self._to_server() as server, selectors.DefaultSelector() as selector:
            self._open = [sock for sock in self._open if sock.fileno() >= 0] + [client, server]
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ, (Way.TO_SERVER, server))
            selector.register(server, selectors.EVENT_READ, (Way.TO_CLIENT, client))
            while not conversation.struck:
                for key, _ in selector.select():
                    way, target = key.data
                    if not (data := key.fileobj.recv(65536)):  # type: ignore[union-attr]  # it is a socket
                        return
                    self._hand_on(conversation, fault, way, data, target)
                    if conversation.struck:
                        break
            assert fault
            if fault.refusing:
                self._refuse()
            self._end(fault.end, client, server)

    def _to_server(self) -> socket.socket:
        server = socket.create_connection((self.host, self._server_port), 10)
        server.settimeout(None)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def _hand_on(
        self, conversation: Conversation, fault: Fault | None, way: Way, data: bytes, target: socket.socket
    ) -> None:
        conversation.note(way, data)
        spared = fault.spared(conversation, way, data) if fault else None
        passing = data if spared is None else data[:spared]
        target.sendall(passing)
        conversation.passed[way] += len(passing)
        conversation.struck = spared is not None

    def _end(self, end: End, client: socket.socket, server: socket.socket) -> None:
        """Leave the sockets to be closed; those that are to be silent only when all is over."""
        if end is End.SILENCE:
            self._over.wait()
        elif end is End.RESET:
            for sock in (client, server):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
