"""A proxy that says at login that a server is another one: as if its words were true of all that it does afterwards."""

import struct
from collections import defaultdict
from collections.abc import Mapping

from tests.servers.proxy import Conversation, Proxy, Way

_READY = b"Z"
_STATUS = b"S"


class Herald(Proxy):
    """Puts other words in the place of what a server says of itself, in plaintext, and changes nothing else.

    Parameters:
        server_port: the server's port of loopback.
        greeting: MySQL's version in the greeting; "" on PostgreSQL.
        parameters: what PostgreSQL says of its parameters at login.
    """

    def __init__(self, server_port: int, greeting: str = "", parameters: Mapping[str, str] | None = None) -> None:
        super().__init__(server_port)
        self._greeting = greeting.encode()
        self._parameters = {name.encode(): value.encode() for name, value in (parameters or {}).items()}
        self._kept: dict[int, bytes] = defaultdict(bytes)
        self._logged_in: set[int] = set()

    def translated(self, conversation: Conversation, way: Way, data: bytes) -> tuple[bytes, bytes]:
        """Change the greeting, or the parameters that come before PostgreSQL is ready for a query."""
        key = id(conversation)
        if way is Way.TO_SERVER or key in self._logged_in:
            return data, b""
        if self._greeting:
            self._logged_in.add(key)
            return _greeting(data, self._greeting), b""
        whole, self._kept[key] = _messages(self._kept[key] + data)
        said = b""
        for kind, body in whole:
            if kind == _READY:
                self._logged_in.add(key)
                said += b"".join(_message(_STATUS, b"%s\0%s\0" % each) for each in self._parameters.items())
            if kind != _STATUS or body.partition(b"\0")[0] not in self._parameters:
                said += _message(kind, body)
        return said, b""


def _greeting(data: bytes, version: bytes) -> bytes:
    """Return MySQL's first packet, a header of 4 bytes and the protocol's number, with another version."""
    body = data[4:5] + version + data[data.index(b"\0", 5) :]
    return struct.pack("<I", len(body))[:3] + data[3:4] + body


def _messages(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return PostgreSQL's messages, each with its kind, and what is not yet one."""
    found = []
    while len(data) >= 5 and len(data) > (length := int.from_bytes(data[1:5], "big")):
        found.append((data[:1], data[5 : length + 1]))
        data = data[length + 1 :]
    return found, data


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
