"""A TCP proxy on loopback before a test server, which counts what passes, and does to a connection what it is told."""

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
    """What a fault does to the two sides of a connection."""

    RESET = "RST"
    CLOSE = "FIN"
    RESET_SENDER = "RST to who sent the piece, FIN to the other"
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


class Fault(ABC):
    """What befalls a connection.

    Attributes:
        refusing: whether the proxy takes no connection any more after that.
    """

    refusing: bool = False

    @abstractmethod
    def strikes(self, conversation: Conversation, way: Way, data: bytes) -> tuple[int, End] | None:
        """Return how many bytes of this piece still pass, and what comes then; None if it does not strike in it."""


class Proxy:
    """The proxy. Each fault that is expected strikes one connection, in their order; all further ones pass.

    It listens from the moment it is made, so that its port can be told to forks of this process, and hands on inside
    its block.

    Parameters:
        server_port: the server's port of loopback.
        everywhere: a fault that may strike any connection that no other is expected on. What passes is then not kept.

    Attributes:
        conversations: those since the last `expect`.
        struck: how many connections faults have struck.
        pieces: how many pieces it has read.
    """

    host = "127.0.0.1"

    def __init__(self, server_port: int, everywhere: Fault | None = None) -> None:
        self._server_port = server_port
        self._everywhere = everywhere
        self._faults: list[Fault] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((self.host, 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        self.conversations: list[Conversation] = []
        self.struck = 0
        self.pieces = 0

    def __enter__(self) -> Self:
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
        self._faults = list(faults)

    def translated(self, conversation: Conversation, way: Way, data: bytes) -> tuple[bytes, bytes]:
        """Return what to hand on in place of a piece, and what to say to its sender: by itself the piece, and nothing.

        A proxy that changes what passes has one of its own.
        """
        return data, b""

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def _refuse(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes who waits for the next connection
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                client = self._listener.accept()[0]
                fault = self._faults.pop(0) if self._faults else self._everywhere
                conversation = Conversation()
                if not self._everywhere:
                    self.conversations.append(conversation)
                self._start(self._converse, client, conversation, fault)

    def _converse(self, client: socket.socket, conversation: Conversation, fault: Fault | None) -> None:
        # What one side closes is closed to the other; an OSError is a side that was reset.
        with client, contextlib.suppress(OSError), self._to_server() as server, selectors.DefaultSelector() as selector:
            self._open = [sock for sock in self._open if sock.fileno() >= 0] + [client, server]
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ, (Way.TO_SERVER, server))
            selector.register(server, selectors.EVENT_READ, (Way.TO_CLIENT, client))
            while True:
                for key, _ in selector.select():
                    source, (way, target) = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    if not (data := source.recv(65536)):
                        return
                    if end := self._hand_on(conversation, fault, way, data, (source, target)):
                        self._end(end, source, target)
                        return

    def _to_server(self) -> socket.socket:
        server = socket.create_connection((self.host, self._server_port), 10)
        server.settimeout(None)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def _hand_on(
        self,
        conversation: Conversation,
        fault: Fault | None,
        way: Way,
        data: bytes,
        ends: tuple[socket.socket, socket.socket],
    ) -> End | None:
        """Hand a piece on from one socket to the other, as far as it is to; return what the connection ends with."""
        source, target = ends
        conversation.note(way, data)
        with self._lock:
            self.pieces += 1
        passing, answer = self.translated(conversation, way, data)
        struck = fault.strikes(conversation, way, data) if fault else None
        spared, end = struck or (len(passing), None)
        target.sendall(passing[:spared])
        source.sendall(answer)
        conversation.passed[way] += min(spared, len(passing))
        if self._everywhere:
            conversation.pieces.clear()
        if fault and end:
            conversation.struck = True
            with self._lock:
                self.struck += 1
            if fault.refusing:
                self._refuse()
        return end

    def _end(self, end: End, source: socket.socket, target: socket.socket) -> None:
        """Leave the sockets to be closed; those that are to be silent only when all is over."""
        if end is End.SILENCE:
            self._over.wait()
        reset = {End.RESET: (source, target), End.RESET_SENDER: (source,)}
        for sock in reset.get(end, ()):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
