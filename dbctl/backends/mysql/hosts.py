"""Where a connection to MySQL or MariaDB leads, and the part that its server plays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dbctl.backends.errors import Diagnosis
from dbctl.backends.hosts import Hosted, Role, Turn, named_rows, rows, search
from dbctl.backends.mysql.peers import FOLLOWED, GROUP_LAG, SYNTAX, lag_of, source_of
from dbctl.backends.origins import Attempt, attempt_under_way
from dbctl.backends.programs import Programs
from dbctl.profiles.places import Place

_PART = """
SHOW GLOBAL VARIABLES WHERE variable_name IN ('wsrep_on', 'wsrep_reject_queries', 'read_only', 'super_read_only')
"""


class MySQLHosts(Programs, Diagnosis, Hosted):
    """How PyMySQL and asyncmy tell one host from another."""

    nodes_stand_apart = True
    not_writable = (1290, 1836)

    def addresses(self) -> Sequence[tuple[str, int]]:
        """Return none where a socket file is named, which goes before the host."""
        return [] if "unix_socket" in self.profile.query else [(place.host, place.port) for place in self.places()]

    def place_of(self, driver_connection: Any) -> Place | None:
        """Ask PyMySQL, or asyncmy, which has no public name for it."""
        if path := self.profile.query.get("unix_socket"):
            return Place(str(path), 0)
        host, port = ("host", "port") if hasattr(driver_connection, "host") else ("_host", "_port")
        return Place(getattr(driver_connection, host), getattr(driver_connection, port))

    def role(self, connection: Any) -> Role | None:
        """Ask whether it is read only, as replicas are set, and whether as a node of Galera's it takes part.

        SHOW begins no transaction, and a node that takes no part would refuse to end one.

        https://galeracluster.com/library/documentation/galera-status-variables.html#wsrep-ready
        """
        said = _pairs(connection, _PART)
        if said.get("wsrep_on") == "ON":
            said |= _pairs(connection, "SHOW GLOBAL STATUS LIKE 'wsrep_ready'")
        if said.get("wsrep_ready") == "OFF" or said.get("wsrep_reject_queries", "NONE") != "NONE":
            return Role.APART
        return Role.STANDBY if "ON" in (said.get("read_only"), said.get("super_read_only")) else Role.PRIMARY

    def lag(self, connection: Any) -> float | None:
        """Return the seconds that the server tells itself; infinity where this user may not ask."""
        if followed := self._followed(connection):
            return max(map(lag_of, followed))
        try:  # a group's member follows no one server
            [(seconds,)] = rows(connection, GROUP_LAG)
        except self.driver_errors():
            return math.inf
        return math.inf if seconds is None else float(seconds)

    def own_name(self, connection: Any) -> str:
        """Ask as for its part; a node that takes none would refuse another query."""
        said = _pairs(connection, "SHOW GLOBAL VARIABLES WHERE variable_name IN ('hostname', 'port')")
        return f"{said['hostname']}:{said['port']}"

    def primary_of(self, connection: Any) -> str:
        """Ask whom it replicates from, where this user may."""
        return next((str(source_of(each).place) for each in self._followed(connection)), "")

    def _followed(self, connection: Any) -> list[dict[str, Any]]:
        """Return the status of its replication, a row for each source; none where this user may not ask."""
        for statement in FOLLOWED:
            try:
                return named_rows(connection, statement)
            except self.driver_errors() as error:
                if self.error_code(error) != SYNTAX:
                    break
        return []

    def program_place(self) -> tuple[str | None, int | None]:
        """Return the host and the port for a program: those of the tunnel, or of the one of several that is taken."""
        if place := self.place_for_programs():
            return place
        return self._chosen() if self.chooses else (self.profile.host, self.profile.port)

    def _chosen(self) -> tuple[str, int]:
        """Connect by PyMySQL, and return the host and the port of the one of several hosts that is taken.

        Raises:
            ConnectError: None is.
        """
        import pymysql

        attempt, token = Attempt(self.profile, self.profile.connect_timeout), attempt_under_way.get()
        login = {"user": self.profile.user, "database": self.profile.database} | self.connect_args()

        def connect(turn: Turn) -> Any:
            attempt.begin_turn(turn.place, turn.share)
            bounds = dict.fromkeys(("connect_timeout", "read_timeout"), max(1, math.ceil(attempt.left)))
            return pymysql.connect(**login | bounds | turn.keywords)

        def find(password: dict[str, Any]) -> Any:
            login.update(password)
            return search(self, connect, self.unfit, (pymysql.MySQLError,))

        attempt_under_way.set(attempt)
        try:
            with self.logged_in(find) as connection:
                return connection.host, connection.port
        finally:
            attempt_under_way.set(token)


def _pairs(connection: Any, query: str) -> dict[str, str]:
    return {row["variable_name"]: row["value"] for row in named_rows(connection, query)}
