"""Connecting by asyncpg, which has to be told more than libpq."""

from __future__ import annotations

import uuid
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from dbctl.backends.cursors import marking
from dbctl.backends.postgresql.hosts import connect_to_one, keep_alive
from dbctl.backends.postgresql.options import ONLY_LIBPQ, places
from dbctl.backends.tls import ssl_context
from dbctl.errors import ConfigError, ConnectError
from dbctl.profiles.places import addresses_of
from dbctl.profiles.query import as_list

if TYPE_CHECKING:
    from ssl import SSLContext

    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile


_ASKING = (
    *("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany", "prepare"),
    *("copy_from_query", "copy_from_table", "copy_to_table", "copy_records_to_table"),
    *("set_type_codec", "set_builtin_type_codec", "reload_schema_state"),
)
"""What asyncpg's connections ask the server by."""

_RUNNING = ("explain", "fetch", "fetchrow", "fetchval", "fetchmany", "executemany")
"""What its prepared statements ask it by, as SQLAlchemy's cursors do."""


def connect_args(backend: Backend) -> dict[str, Any]:
    """Return asyncpg's keywords, and what `_connect` does with libpq's options that asyncpg has no keyword for.

    For TLS it always gets a context or False: of a mode's name it would make what PGSSL* and the home directory say.
    Where there is a transaction pooler in between, statements are prepared under names used once.

    Raises:
        ConfigError: asyncpg has nothing for one of the options, and can't do without it.
    """
    profile = backend.profile
    args: dict[str, Any] = {
        **_options(backend),
        "connection_class": _connection_class(profile),
        "timeout": profile.connect_timeout / (1 if backend.chooses else len(places(profile))),
        "server_settings": _server_settings(profile),
        "ssl": False if profile.ssl.mode == "disable" else _context(profile),
        "async_creator_fn": partial(_connect, backend),
    }
    if _uncached(backend):
        args["prepared_statement_name_func"] = lambda: f"__dbctl_{uuid.uuid4().hex}__"
        args["statement_cache_size"] = args["prepared_statement_cache_size"] = 0
    return args


def _connection_class(profile: Profile) -> type[Any]:
    """Return asyncpg's class of connections, which mark what they and their prepared statements raise."""
    import asyncpg

    mark = partial(marking, profile=profile, asynchronous=True, is_lost=lambda connection, _: connection.is_closed())
    marking_statement = mark(
        asyncpg.prepared_stmt.PreparedStatement, _RUNNING, connection="_connection", made_by_driver=True
    )
    marked: Any = mark(asyncpg.Connection, _ASKING)
    prepare_marked = marked.prepare

    async def prepare(self: Any, *args: Any, **kwargs: Any) -> Any:
        statement = await prepare_marked(self, *args, **kwargs)
        statement.__class__ = marking_statement  # asyncpg lets no class be named for them
        return statement

    marked.prepare = wraps(prepare_marked)(prepare)
    return marked  # type: ignore[no-any-return]


def _options(backend: Backend) -> dict[str, Any]:
    """Return the options of the profile that asyncpg has keywords for.

    Raises:
        ConfigError: The asyncpg that is installed has none for one, or libpq's makes sure of what asyncpg can't.
    """
    import inspect

    import asyncpg

    profile = backend.profile
    told = backend.told(asynchronous=True)
    if profile.query.get("sslnegotiation") == "direct":
        told["direct_tls"] = True
    known = {*inspect.signature(asyncpg.connect).parameters, "prepared_statement_cache_size"}
    lacking = [key for key in profile.query if key in ONLY_LIBPQ] + [key for key in told if key not in known]
    if addresses_of(profile) and profile.ssl.mode == "verify-full" and profile.host and not profile.tunnel:
        lacking.append("hostaddr")  # asyncpg verifies what it connects to
    if lacking:
        where = profile.origins.get("query", profile.called)
        raise ConfigError(
            f"{where}: query.{lacking[0]}: asyncpg {asyncpg.__version__} can't do that",
            "leave it out, or connect by the sync driver",
        )
    return told


def _server_settings(profile: Profile) -> dict[str, str]:
    """Return what the server is told when the connection begins; it reads `options` as libpq would send it."""
    options = profile.query.get("options")
    settings = {"application_name": profile.application_name}
    return settings | ({"options": as_list(options)[-1]} if options else {})


def _context(profile: Profile) -> SSLContext:
    """Return the context of the profile, and what libpq's options say besides.

    Raises:
        ConfigError: A certificate, a key or a list of revoked certificates can't be loaded.
    """
    import ssl

    context = ssl_context(profile)
    versions = {f"TLSv1{minor}": f"TLSv1{minor.replace('.', '_')}" for minor in ("", ".1", ".2", ".3")}
    for key, bound in (
        ("ssl_min_protocol_version", "minimum_version"),
        ("ssl_max_protocol_version", "maximum_version"),
    ):
        if version := profile.query.get(key):
            setattr(context, bound, ssl.TLSVersion[versions[str(version)]])
    if revoked := profile.query.get("sslcrl"):
        try:
            context.load_verify_locations(cafile=str(revoked))
        except OSError as error:
            where = profile.origins.get("query", profile.called)
            raise ConfigError(f"{where}: query.sslcrl: can't read {revoked}: {error.strerror or error}") from error
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    if profile.query.get("sslnegotiation") == "direct":
        context.set_alpn_protocols(["postgresql"])
    return context


def _uncached(backend: Backend) -> bool:
    """Tell whether statements are to be forgotten: SQLAlchemy has a cache of them, and asyncpg another."""
    caches = ("prepared_statement_cache_size", "statement_cache_size")
    return any(backend.profile.query.get(key) == "0" for key in caches)


async def _connect(backend: Backend, **kwargs: Any) -> Any:
    connection = await connect_to_one(backend, kwargs)
    try:
        keep_alive(backend.profile, connection)
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
