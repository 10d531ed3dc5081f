"""YugabyteDB's YSQL, as its documentation says of it (https://docs.yugabyte.com/stable/): not tried on a real one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dbctl.backends.base import Identity
from dbctl.backends.portable import PortableInventory
from dbctl.backends.postgresql.nodes import ManyNodes
from dbctl.backends.postgresql.relatives import said

if TYPE_CHECKING:
    from sqlalchemy import Connection

VERSION = re.compile(r"-YB-(\d[\d.]*\d)")
"""Its version in its `server_version`, behind that of the PostgreSQL it is made of: `15.12-YB-2025.1.0.0-b168`."""


class YugabyteDB(ManyNodes):
    """YugabyteDB, which is PostgreSQL's own code on top of a store of many nodes."""

    title = "YugabyteDB"
    backup_by = "take distributed snapshots, or ysql_dump: https://docs.yugabyte.com/stable/manage/backup-restore/"
    differs = (
        "A conflict is 40001, after which all is run again; READ COMMITTED is REPEATABLE READ unless "
        "yb_enable_read_committed_isolation is set; what became of a COMMIT without an answer is not told; a schema "
        "change is not rolled back; a lock is a row of a table; sessions are those of this node."
    )

    def identity(self, connection: Connection) -> Identity:
        """Ask for the user and the database; the version came with the login."""
        version = said(connection.connection.driver_connection, "server_version") or ""
        user, database = connection.exec_driver_sql("SELECT current_user, current_database()").one()
        found = VERSION.search(version)
        return Identity(self.title, found[1] if found else version, user, database)


class YugabyteDB11(PortableInventory, YugabyteDB):
    """One up to 2024.2, which is a PostgreSQL 11: its catalogue lacks some of what is asked of newer ones."""
