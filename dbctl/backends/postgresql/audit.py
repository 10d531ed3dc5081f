"""What `dbctl doctor` asks PostgreSQL."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dbctl.backends.audit import (
    Encoding,
    Facts,
    IdleTransaction,
    Limit,
    Login,
    Questions,
    Timeout,
    Way,
    end_of,
    seconds_of,
    way_of,
)
from dbctl.backends.findings import Finding, Level
from dbctl.backends.postgresql.invalid_indexes import dropping, invalid_indexes
from dbctl.backends.postgresql.libpq import SSL_REQUEST
from dbctl.backends.tls import ssl_context

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

# Of others' sessions an ordinary role sees the database and the role, and NULL for the rest; background processes have
# no database or no role. Parallel workers of others can't be told from sessions, and are counted.
_LIMITS = """
WITH session AS (
    SELECT datid, usesysid FROM pg_stat_activity
    WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
)
SELECT current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
    (SELECT count(*) FROM session),
    (SELECT count(*) FROM session WHERE usesysid = r.oid),
    (SELECT count(*) FROM session WHERE datid = d.oid),
    (SELECT count(*) FROM session WHERE datid = d.oid AND usesysid = r.oid),
    r.rolname, CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END,
    d.datname, CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END
FROM pg_roles r, pg_database d WHERE r.rolname = session_user AND d.datname = current_database()
"""

_IDLE_TRANSACTIONS = """
SELECT a.pid, extract(epoch FROM clock_timestamp() - a.state_change),
    ARRAY(SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND a.pid = ANY (pg_blocking_pids(pid)))
FROM pg_stat_activity a
WHERE a.state IN ('idle in transaction', 'idle in transaction (aborted)')
    AND a.application_name = current_setting('application_name') AND a.usename = session_user
    AND a.datname = current_database() AND a.pid <> pg_backend_pid()
ORDER BY a.state_change
"""

_CLOCK = "SELECT extract(epoch FROM clock_timestamp()), extract(timezone FROM clock_timestamp())"

_DROPPED = "Options that are in the url reach the server only where the pooler knows them: it may drop them unsaid. "


def facts(backend: Backend, connection: Connection) -> Facts:
    """Measure all that `doctor` judges."""
    questions = Questions(backend, connection)
    ask, driver = questions.ask, questions.driver
    settings = ask("settings", _settings) or {}
    login = ask("login", _login)
    tls = backend.tls_version(driver)
    pooled = ask("pooler", lambda connection: _is_pooled(connection, driver))
    if pooled:
        questions.findings.append(_pooler(backend))
    certificate = ask("certificate", lambda _: _certificate(backend, driver)) if tls else None
    user = login.user if login else "…"
    if invalid := ask("indexes", invalid_indexes):
        questions.findings.append(_of_invalid(invalid))
    return Facts(
        # Behind a pooler its own limits count, which it does not tell.
        limits=() if pooled else ask("connections", limits) or (),
        idle=None if pooled else _timeout(settings, "idle_session_timeout", user),
        open_transaction=_timeout(settings, "idle_in_transaction_session_timeout", user),
        statement=_timeout(settings, "statement_timeout", user),
        way=Way.TUNNEL if backend.tunnel else way_of(driver.fileno()),
        tls=tls,
        certificate_ends=end_of(certificate) if certificate else None,
        login=login,
        encoding=_encoding(settings.get("server_encoding")),
        clock=questions.clock(_CLOCK),
        transactions=ask("idle_transactions", _idle_transactions),
        findings=questions.findings,
    )


def _of_invalid(names: Sequence[str]) -> Finding:
    why = "No query uses them, and each write keeps them up to date: CREATE INDEX CONCURRENTLY leaves such if it fails."
    return Finding(Level.WARNING, "indexes", f"invalid: {', '.join(names)}", why, "; ".join(map(dropping, names)))


def limits(connection: Connection) -> Sequence[Limit]:
    """Return the limits of the server, less what it keeps for superusers, of the role and of the database."""
    row = connection.exec_driver_sql(_LIMITS).one()
    server, in_use, own, in_database, own_in_database, role, role_limit, database, database_limit = row
    return (
        Limit("max_connections less the reserved", server, in_use, own),
        Limit(f"role {role}'s CONNECTION LIMIT", role_limit if role_limit >= 0 else None, own, own),
        Limit(
            f"database {database}'s CONNECTION LIMIT",
            database_limit if database_limit >= 0 else None,
            in_database,
            own_in_database,
        ),
    )


def _settings(connection: Connection) -> Mapping[str, str]:
    names = "idle_session_timeout", "idle_in_transaction_session_timeout", "statement_timeout", "server_encoding"
    listed = ", ".join(f"'{name}'" for name in names)
    rows = connection.exec_driver_sql(f"SELECT name, setting FROM pg_settings WHERE name IN ({listed})")
    return {row.name: row.setting for row in rows}


def _timeout(settings: Mapping[str, str], name: str, user: str) -> Timeout | None:
    if name not in settings:  # idle_session_timeout came with PostgreSQL 14
        return None
    quoted = user.replace('"', '""')
    return Timeout(name, seconds_of(settings[name]), f"ALTER ROLE \"{quoted}\" SET {name} = '60s'")


def _login(connection: Connection) -> Login:
    query = "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = session_user"
    user, is_superuser = connection.exec_driver_sql(query).one()
    return Login(user, "SUPERUSER" if is_superuser else None)


def _encoding(name: str | None) -> Encoding | None:
    if name is None:
        return None
    fix = "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and copy the data"
    return Encoding(name, None if name == "UTF8" else fix)


def _idle_transactions(connection: Connection) -> Sequence[IdleTransaction]:
    rows = connection.exec_driver_sql(_IDLE_TRANSACTIONS)
    return [IdleTransaction(pid, float(seconds), blocks) for pid, seconds, blocks in rows]


def _is_pooled(connection: Connection, driver: Any) -> bool:
    """Tell whether the process that answers is another one than the login was told of."""
    return bool(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != driver.info.backend_pid)


def _pooler(backend: Backend) -> Finding:
    pool, workers = backend.profile.pool, backend.profile.workers
    return Finding(
        Level.NOTE,
        "pooler",
        "a pooler such as PgBouncer answers, not the server itself",
        f"In its transaction mode session advisory locks, SET, LISTEN and temporary tables reach whoever is next. "
        f"{_DROPPED if 'options' in backend.profile.query else ''}"
        f"Connections are limited by the pooler: {workers} * ({pool.size} + {pool.max_overflow}) count against it.",
        "pgbouncer.ini: max_client_conn for the profile's connections, default_pool_size for the server's",
        value=None if math.isinf(pool.capacity) else workers * pool.capacity,
        unit="connections",
    )


def _certificate(backend: Backend, driver: Any) -> bytes:
    """Fetch the certificate in a handshake of its own: libpq does not hand out the one that it was shown."""
    import socket

    with socket.socket(fileno=os.dup(driver.fileno())) as connected:
        address = connected.getpeername()[:2]
    with socket.create_connection(address, backend.profile.connect_timeout) as sock:
        sock.sendall(SSL_REQUEST)
        if sock.recv(1) != b"S":
            raise OSError("the server would not do TLS on a second connection")
        with ssl_context(backend.profile).wrap_socket(sock, server_hostname=driver.info.host) as tls:
            certificate = tls.getpeercert(binary_form=True) or b""
            with suppress(OSError):
                tls.unwrap()  # closed without a word, the server would log an error
            return certificate
