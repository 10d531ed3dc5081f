"""What `dbctl doctor` asks MySQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
from dbctl.backends.mysql.cluster_findings import findings, unfit_tables
from dbctl.backends.mysql.clusters import node_of
from dbctl.backends.mysql.locks import WAITS, WAITS_SINCE_8

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

_VARIABLES = (
    "wait_timeout",
    "idle_transaction_timeout",  # MariaDB, seconds
    "max_statement_time",  # MariaDB, seconds
    "max_execution_time",  # MySQL, milliseconds
    "character_set_database",
    "collation_database",
    "wsrep_sync_wait",
    "group_replication_consistency",
)

_CLOCK = "SELECT unix_timestamp(now(6)), timestampdiff(SECOND, utc_timestamp(), now())"

# A session that tells no program's name is taken for the application's: it is the application's user.
_IDLE_TRANSACTIONS = """
SELECT p.id, p.time, (
    SELECT group_concat(DISTINCT b.trx_mysql_thread_id) FROM {waits}
    JOIN information_schema.innodb_trx b ON b.trx_id = {requesting} WHERE {blocking} = t.trx_id
)
FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
LEFT JOIN performance_schema.session_account_connect_attrs a
    ON a.processlist_id = p.id AND a.attr_name = 'program_name'
WHERE p.command = 'Sleep' AND p.user = substring_index(user(), '@', 1) AND p.id <> connection_id()
    AND p.db = database() AND coalesce(a.attr_value, %s) = %s
ORDER BY p.time DESC
"""


def facts(backend: Backend, connection: Connection) -> Facts:
    """Measure all that `doctor` judges."""
    questions = Questions(backend, connection)
    ask, driver = questions.ask, questions.driver
    variables = ask("settings", _variables) or {}
    tls = backend.tls_version(driver)
    allowed = ask("connections", limits) or ()
    if node := ask("cluster", lambda connection: node_of(lambda query: connection.exec_driver_sql(query).all())):
        limit = allowed[0].limit if allowed else None
        unfit = ask("cluster_tables", unfit_tables)
        questions.findings += findings(node, backend.profile, limit, variables, unfit)
    return Facts(
        limits=allowed,
        idle=_timeout(variables, "wait_timeout"),
        open_transaction=_timeout(variables, "idle_transaction_timeout"),
        statement=_timeout(variables, "max_statement_time") or _timeout(variables, "max_execution_time"),
        way=Way.TUNNEL if backend.tunnel else way_of(driver._sock.fileno()),
        tls=tls,
        certificate_ends=end_of(driver._sock.getpeercert(binary_form=True)) if tls else None,
        login=ask("login", _login),
        encoding=_encoding(variables),
        clock=questions.clock(_CLOCK),
        transactions=ask(
            "idle_transactions", lambda connection: _idle_transactions(connection, backend.profile.application_name)
        ),
        findings=questions.findings,
    )


def limits(connection: Connection) -> Sequence[Limit]:
    """Return the limits of the server and of the account, whose own one the session's variable holds."""
    limit, user_limit = connection.exec_driver_sql("SELECT @@max_connections, @@session.max_user_connections").one()
    _, in_use = connection.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'Threads_connected'").one()
    query = "SELECT count(*) FROM information_schema.processlist WHERE user = substring_index(user(), '@', 1)"
    own = int(connection.exec_driver_sql(query).scalar_one())
    return (
        Limit("max_connections", int(limit), int(in_use), own),
        Limit("the account's max_user_connections", int(user_limit) or None, own, own),
    )


def _variables(connection: Connection) -> Mapping[str, str]:
    listed = ", ".join(f"'{name}'" for name in _VARIABLES)
    rows = connection.exec_driver_sql(f"SHOW VARIABLES WHERE Variable_name IN ({listed})")
    return {row[0]: row[1] for row in rows}


def _timeout(variables: Mapping[str, str], name: str) -> Timeout | None:
    if name not in variables:
        return None
    in_milliseconds = name == "max_execution_time"
    seconds = seconds_of(variables[name]) if in_milliseconds else float(variables[name]) or None
    return Timeout(name, seconds, f"SET GLOBAL {name} = {60_000 if in_milliseconds else 60}")


def _login(connection: Connection) -> Login:
    user = str(connection.exec_driver_sql("SELECT current_user()").scalar())
    for (grant,) in connection.exec_driver_sql("SHOW GRANTS"):
        everywhere = re.match(r"GRANT (.+?) ON \*\.\* ", grant)
        power = {"ALL PRIVILEGES", "SUPER"} & set(everywhere[1].split(", ")) if everywhere else None
        if power:
            return Login(user, f"{power.pop()} ON *.*")
    return Login(user, None)


def _encoding(variables: Mapping[str, str]) -> Encoding | None:
    charset = variables.get("character_set_database")
    if charset is None:
        return None
    fix = "ALTER DATABASE … CHARACTER SET utf8mb4; tables: ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4"
    return Encoding(f"{charset}, {variables.get('collation_database')}", None if charset == "utf8mb4" else fix)


def _idle_transactions(connection: Connection, application: str) -> Sequence[IdleTransaction]:
    version = str(connection.exec_driver_sql("SELECT version()").scalar())
    before_8 = "MariaDB" in version or int(version.partition(".")[0]) < 8
    query = _IDLE_TRANSACTIONS.format(**(WAITS if before_8 else WAITS_SINCE_8))
    rows = connection.exec_driver_sql(query, (application, application))
    return [
        IdleTransaction(session, float(seconds), [int(each) for each in blocks.split(",")] if blocks else ())
        for session, seconds, blocks in rows
    ]
