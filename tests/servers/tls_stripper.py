"""A man in the middle, who takes away the offer of TLS."""

from tests.servers.proxy import Conversation, Proxy, Way

# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
_CLIENT_SSL_BIT = 0x08  # of the second byte of MySQL's capabilities


class TlsStripper(Proxy):
    """Takes the offer of TLS out of what a server says, so that a client that does not insist goes on in plaintext."""

    def __init__(self, dialect: str, server_port: int) -> None:
        """Plan a proxy before the server of this dialect on this port of loopback."""
        super().__init__(server_port)
        self._greets = dialect == "mysql"

    @property
    def received(self) -> bytes:
        """All that clients have sent to it."""
        pieces = [piece for conversation in self.conversations for piece in conversation.pieces]
        return b"".join(data for way, data in pieces if way is Way.TO_SERVER)

    def translated(self, conversation: Conversation, way: Way, data: bytes) -> tuple[bytes, bytes]:
        """Clear the offer in MySQL's greeting, and answer PostgreSQL's question with no."""
        if way is Way.TO_SERVER and data == SSL_REQUEST:
            return b"", b"N"
        if way is Way.TO_CLIENT and self._greets and not conversation.passed[way]:
            return _without_tls(data), b""
        return data, b""


def _without_tls(greeting: bytes) -> bytes:
    """Clear the TLS bit in MySQL's greeting: a header of 4 bytes, the protocol, the version, 13 bytes, capabilities."""
    changed = bytearray(greeting)
    changed[greeting.index(b"\0", 5) + 15] &= ~_CLIENT_SSL_BIT
    return bytes(changed)
