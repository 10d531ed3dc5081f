"""Whether a program listens at a port of this machine, found out without connecting to it where the system tells.

To connect would be to be counted at the far end of a tunnel: MySQL blocks a host that connects and says nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress

LOOPBACK = "127.0.0.1"

_LISTENING = "0A"
"""https://docs.kernel.org/networking/proc_net_tcp.html: the fourth field is the state, of TCP_LISTEN."""


def free_port() -> int:
    """Return a port of loopback at which nobody listens now."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        return int(sock.getsockname()[1])


def listens(port: int, session: int) -> bool:
    """Tell whether a process of a session listens at a port of loopback.

    Another's that does may be there to be told a password. Of processes whose files may not be seen the user counts,
    which is this one's or root; where the system does not tell who listens, whoever answers is taken for it.
    """
    try:
        found = dict(_listeners(port))
    except FileNotFoundError:
        return _answers(port)
    if not found:
        return False
    try:
        return bool(found.keys() & set(_sockets_of(session)))
    except PermissionError:
        return bool(set(found.values()) & {os.geteuid(), 0})


def _listeners(port: int) -> Iterator[tuple[str, int]]:
    """Yield each socket that listens at a port, as its inode, and its user."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if table.endswith("6") and not os.path.exists(table):
            return
        with open(table, encoding="ascii") as lines:
            next(lines)
            for line in lines:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9], int(fields[7])


def _sockets_of(session: int) -> Iterator[str]:
    """Yield the inodes of all sockets that the processes of a session have open."""
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.getsid(int(process)) != session:
                continue
            descriptors = os.listdir(f"/proc/{process}/fd")
        except (ProcessLookupError, FileNotFoundError):
            continue  # it has ended meanwhile
        for descriptor in descriptors:
            with suppress(FileNotFoundError, ProcessLookupError):
                yield os.readlink(f"/proc/{process}/fd/{descriptor}").removeprefix("socket:[").removesuffix("]")


def _answers(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), 1).close()
    except OSError:
        return False
    return True
