"""Clusters of MySQL's and MariaDB's whose machines all take writes: Galera, and MySQL's group replication.

https://galeracluster.com/library/documentation/ and https://dev.mysql.com/doc/refman/8.4/en/group-replication.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbctl.backends.lock_statements import TABLE, by_row, later

if TYPE_CHECKING:
    from sqlalchemy import Connection

# A node says by itself that Galera is at work in it; a member has the group's plug-in, and a group's name.
_SIGNS = """
SHOW GLOBAL VARIABLES WHERE variable_name = 'wsrep_on' AND value = 'ON'
    OR variable_name = 'group_replication_group_name' AND value <> ''
"""

_NOW = "utc_timestamp(6)"

ROW_LOCK = by_row(
    table=f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    name VARCHAR(190) NOT NULL PRIMARY KEY,
    token CHAR(32) NOT NULL,
    holder VARCHAR(255) NOT NULL,
    expires DATETIME(6) NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
""",
    # Assignments see those to their left: the rest of the row is the token's.
    upsert=f"""
INSERT INTO {TABLE} (name, token, holder, expires) VALUES (:name, :token, :holder, {later(_NOW)})
ON DUPLICATE KEY UPDATE token = IF(expires < {_NOW}, :token, token),
    holder = IF(token = :token, :holder, holder), expires = IF(token = :token, {later(_NOW)}, expires)
""",
    now=_NOW,
)


def is_clustered(connection: Connection) -> bool:
    """Tell whether the server is one of several that take writes, and each keeps locks of sessions to itself."""
    return connection.exec_driver_sql(_SIGNS).first() is not None
