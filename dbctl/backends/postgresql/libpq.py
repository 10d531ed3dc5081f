"""What libpq says of a connect that failed: it has words for it, in English, and no codes."""

import struct

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""https://www.postgresql.org/docs/current/protocol-message-formats.html"""

_STAGES = (
    ("could not translate host name", "name resolution"),
    ("SSL", "TLS"),
    ("certificate", "TLS"),
    ("root.crt", "TLS"),
    ("Connection refused", "TCP"),
    ("No such file or directory", "TCP"),
    ("No route to host", "TCP"),
    ("Network is unreachable", "TCP"),
    ("Connection reset", "login"),
    ("closed the connection", "login"),
    ('FATAL:  database "', "database"),
    ("FATAL", "login"),
    ("fe_sendauth", "login"),
)

_TRANSIENT = (
    "starting up",
    "shutting down",
    "accepting connections",  # not, or not yet
    "in recovery mode",
    "too many clients",
    "too many connections",
    "remaining connection slots",
    "Connection reset",
    "closed the connection",
    "EOF detected",
)


def stage(text: str) -> str | None:
    """Return the step of connecting that libpq's message speaks of, or None where it names none.

    Of several attempts, with TLS and without or at several hosts, the last one tells.
    """
    for line in reversed(text.splitlines()):
        if found := next((stage for words, stage in _STAGES if words in line), None):
            return found
    return None


def is_silence(text: str) -> bool:
    """Tell whether libpq's message says that there was no answer in time, at whatever step."""
    return "timeout expired" in text


def may_heal(text: str) -> bool:
    """Tell whether libpq's message speaks of what may heal by itself."""
    return is_silence(text) or any(words in text for words in _TRANSIENT)
