"""Vitess, as its documentation says of it (https://vitess.io/docs/reference/): not tried on a real one.

Its releases from 16 on begin a transaction READ ONLY, and those from 18 on have KILL.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dbctl.backends.base import Identity
from dbctl.backends.mysql.nodes import ManyNodes
from dbctl.backends.sessions import SessionsThere
from dbctl.errors import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection

VERSION = re.compile(r"Version: (\d[\w.-]*)")
"""Its own version, in @@version_comment: `Version: 21.0.0 (Git revision …)`; version() has MySQL's, `8.0.30-Vitess`."""


class Vitess(ManyNodes):
    """Vitess: a VTGate in front of MySQL servers, each of which has a part."""

    title = "Vitess"
    backup_by = "take vtctldclient Backup and RestoreFromBackup: https://vitess.io/docs/user-guides/operating-vitess/"
    differs = (
        "A transaction of several shards is committed shard by shard, unless its mode is SINGLE or TWOPC, so that "
        "after an error at COMMIT the outcome is unknown; SET SESSION TRANSACTION READ ONLY does nothing; the "
        "server's own limit for statements is not set; a lock is a row of a table, which has to be in an unsharded "
        "keyspace."
    )

    def identity(self, connection: Connection) -> Identity:
        """Ask for its own version, the user and the database."""
        asked = "SELECT version(), current_user(), database(), @@version_comment"
        version, user, database, comment = connection.exec_driver_sql(asked).one()
        found = VERSION.search(comment or "")
        return Identity(self.title, found[1] if found else version.split("-")[0], user, database)

    def sessions_there(self, connection: Connection) -> SessionsThere:
        """Refuse: a VTGate asks one of the servers behind it."""
        raise Unsupported(
            f"{self.title} tells of the sessions of one server behind it alone", "ask the MySQL of each tablet"
        )
