"""A role whose password changes while somebody works as it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dbctl.profiles import Profile
from tests.harness.database import TestDatabase
from tests.harness.files import private
from tests.harness.profile import profile_of

ROLE = "rotating"
_ALTER: Mapping[str, str] = {
    "postgresql": f"ALTER ROLE {ROLE} PASSWORD '{{}}'",
    "mysql": f"ALTER USER {ROLE}@'%' IDENTIFIED BY '{{}}'",
}

_SESSIONS: Mapping[str, tuple[str, str]] = {
    "postgresql": ("SELECT pid FROM pg_stat_activity WHERE usename = %s", "SELECT pg_terminate_backend({})"),
    "mysql": ("SELECT id FROM information_schema.processlist WHERE user = %s", "KILL {}"),
}


@dataclass(frozen=True)
class Role:
    """A role whose password changes, and the directory where it is to be had."""

    database: TestDatabase
    directory: Path

    @property
    def file(self) -> Path:
        """The file with the password."""
        return self.directory / "password"

    def rotate(self, password: str) -> None:
        """Give it another password."""
        assert self.database.server
        self.database.server.execute(_ALTER[self.database.dialect].format(password))
        private(self.file).write_text(password)

    def end_sessions(self) -> None:
        """End its connections at the server."""
        server = self.database.server
        assert server
        numbers, end = _SESSIONS[self.database.dialect]
        for (number,) in server.execute(numbers, [ROLE]):
            server.execute(end.format(number))

    def by_file(self, **changes: Any) -> Profile:
        """Return a profile with the password's file."""
        return self._profile(password_file=str(self.file), **changes)

    def by_command(self, script: str, **changes: Any) -> Profile:
        """Return a profile with a command that writes the password when a script has ended; it notes that it began."""
        return self._profile(
            password_command=("sh", "-c", f"cd '{self.directory}'; echo >>asked; {script}; cat password"), **changes
        )

    @property
    def asked(self) -> int:
        """How often the command was run."""
        return len((self.directory / "asked").read_text().splitlines())

    def _profile(self, **values: Any) -> Profile:
        return profile_of(self.database).model_copy(update={"user": ROLE, "password": None, **values})


@pytest.fixture
def role(server_database: TestDatabase, tmp_path: Path) -> Iterator[Role]:
    """A role on each server in turn."""
    server = server_database.server
    assert server
    server.create_role(ROLE, "first")
    if server_database.dialect == "mysql":
        server.execute(f"GRANT ALL ON {server_database.name}.* TO {ROLE}")
    try:
        private(tmp_path / "password").write_text("first")
        yield Role(server_database, tmp_path)
    finally:
        server.drop_role(ROLE)
