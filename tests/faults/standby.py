"""A hot standby: a PostgreSQL server that follows another one, and lets nobody write."""

from pathlib import Path

from tests.servers.authority import Authority
from tests.servers.postgres import PostgresServer


class Standby(PostgresServer):
    """A copy of a running server, with its roles and databases, which replays whatever that one commits."""

    def __init__(self, primary: PostgresServer, authority: Authority | None) -> None:
        """Plan a standby of a server that runs when this one is started."""
        super().__init__(authority)
        self.primary = primary
        self.password = primary.password

    def initialise(self) -> None:
        """Copy the primary's data directory, with all that has to be known to follow it."""
        data = self.directory / "data"
        primary = {
            "host": "127.0.0.1",
            "port": self.primary.port,
            "user": self.primary.user,
            "password": self.password,
            "sslmode": "disable",
        }
        place = " ".join(f"{name}={value}" for name, value in primary.items())
        program = Path(self.command()[0]).with_name("pg_basebackup")
        options = ["--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync"]
        self.body.run([program, "--pgdata", data, "--dbname", place, *options])
        written = (data / "postgresql.conf").read_bytes()
        self.body.give("data/postgresql.conf", written + f"port = {self.port}\n".encode())

    def set_up(self) -> None:
        """Make nothing: the roles are the primary's."""
