"""Connecting by asyncpg, which has to be told more than libpq."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from dbctl.backends.cursors import marking
from dbctl.backends.tls import ssl_context
from dbctl.errors import ConnectError

if TYPE_CHECKING:
    from dbctl.backends.base import Backend


_ASKING = (
    *("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany", "prepare"),
    *("copy_from_query", "copy_from_table", "copy_to_table", "copy_records_to_table"),
    *("set_type_codec", "set_builtin_type_codec", "reload_schema_state"),
)
"""What asyncpg's connections ask the server by."""


def connect_args(backend: Backend) -> dict[str, Any]:
    """Return asyncpg's keywords.

    For TLS it always gets a context or False: of a mode's name it would make what PGSSL* and the home directory say.
    Where there is a transaction pooler in between, statements are prepared under names used once.
    """
    import asyncpg

    profile = backend.profile
    args: dict[str, Any] = {
        "connection_class": marking(
            asyncpg.Connection, _ASKING, profile, asynchronous=True, is_closed=lambda connection: connection.is_closed()
        ),
        "timeout": profile.connect_timeout,
        "server_settings": {"application_name": profile.application_name},
        "ssl": False if profile.ssl.mode == "disable" else ssl_context(profile),
        "async_creator_fn": partial(_connect, backend),
    }
    if _uncached(backend):
        args["prepared_statement_name_func"] = lambda: f"__dbctl_{uuid.uuid4().hex}__"
        args["statement_cache_size"] = 0
    return args


def _uncached(backend: Backend) -> bool:
    return backend.profile.query.get("prepared_statement_cache_size") == "0"


async def _connect(backend: Backend, *args: Any, **kwargs: Any) -> Any:
    connection = await _open(backend, *args, **kwargs)
    try:
        await _refuse_pooler(backend, connection)
    except BaseException:  # a cancelled task's too: nobody else knows of the connection yet
        connection.terminate()
        raise
    return connection


async def _refuse_pooler(backend: Backend, connection: Any) -> None:
    pid = connection.get_server_pid()
    if not _uncached(backend) and pid != await backend.opening(connection.fetchval("SELECT pg_backend_pid()")):
        raise ConnectError(
            f"{backend.profile.called}: a pooler such as PgBouncer answers here, through which asyncpg loses "
            "the statements that it has prepared",
            "connection",
            "add prepared_statement_cache_size=0 to the url's query, or connect to the server itself",
        )


async def _open(backend: Backend, *args: Any, **kwargs: Any) -> Any:
    import asyncpg

    try:
        return await backend.opening(asyncpg.connect(*args, **kwargs))
    except asyncpg.PostgresError as error:
        raise backend.connect_error(error) from error
    except ConnectError as error:
        no_tls = isinstance(error.__cause__, ConnectionError) and "SSL upgrade" in str(error.__cause__)
        if backend.profile.ssl.mode != "prefer" or not no_tls:
            raise
    return await backend.opening(asyncpg.connect(*args, **kwargs | {"ssl": False}))
