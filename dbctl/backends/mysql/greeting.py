"""What a MySQL server says first, before anybody logs in."""

import errno
import os
from collections.abc import Mapping
from typing import Any

_CLIENT_SSL = 0x0800


async def offers_tls(kwargs: Mapping[str, Any]) -> bool:
    """Read the server's greeting, which says whether it can do TLS; asyncmy would not look.

    Args:
        kwargs: asyncmy's keywords, of which the place counts.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
    """
    import asyncio

    if path := kwargs.get("unix_socket"):
        reader, writer = await asyncio.open_unix_connection(path)
    else:
        reader, writer = await asyncio.open_connection(kwargs.get("host"), kwargs.get("port") or 3306)
    try:
        length = int.from_bytes((await reader.readexactly(4))[:3], "little")
        greeting = await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from error
    finally:
        writer.close()
    version_end = greeting.index(b"\0", 1)
    capabilities = greeting[version_end + 14 : version_end + 16]  # behind the thread's id and the first salt
    return bool(int.from_bytes(capabilities, "little") & _CLIENT_SSL)
