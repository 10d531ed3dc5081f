"""A man in the middle: a TCP proxy on loopback before a test server, which may change what it hands on."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
_CLIENT_SSL_BIT = 0x08  # of the second byte of MySQL's capabilities


class TlsStripper:
    """Takes the offer of TLS out of what a server says, so that a client that does not insist goes on in plaintext.

    Attributes:
        received: all that clients have sent to it.
    """

    host = "127.0.0.1"

    def __init__(self, kind: str, port: int) -> None:
        """Plan a proxy before the server of this kind on this port of loopback."""
        self._kind, self._server_port = kind, port
        self.received = b""
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.host, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed at the end
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection((self.host, self._server_port))
                self._open += [client, server]
                for target in (self._from_client, self._from_server):
                    threading.Thread(target=target, args=(client, server), daemon=True).start()

    def _from_client(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                self.received += data
                if data == SSL_REQUEST:
                    client.sendall(b"N")
                else:
                    server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _from_server(self, client: socket.socket, server: socket.socket) -> None:
        first = self._kind == "mariadb"
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(_without_tls(data) if first else data)
                first = False
            client.shutdown(socket.SHUT_WR)


def _without_tls(greeting: bytes) -> bytes:
    """Clear the TLS bit in MySQL's greeting: a header of 4 bytes, the protocol, the version, 13 bytes, capabilities."""
    changed = bytearray(greeting)
    changed[greeting.index(b"\0", 5) + 15] &= ~_CLIENT_SSL_BIT
    return bytes(changed)
