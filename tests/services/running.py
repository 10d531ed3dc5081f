"""The service beside this file as a user has it: a profile on a database, with its tables, and dbctl to run on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import KINDS, TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.shared import make_shared

SERVICES = Path(__file__).parent
TOP = f'app_dir = "{SERVICES}"\nmodels = ["fleet.models"]\ncommands = ["fleet.admin"]\nsample = false\n'


@dataclass(frozen=True)
class Service:
    """The service, with no ship."""

    database: TestDatabase
    dbctl: Forked

    @property
    def ships(self) -> set[str]:
        """The names of all ships that are committed."""
        return {str(name) for (name,) in self.database.execute("SELECT name FROM ship")}


def configured(dbctl: Dbctl, database: TestDatabase) -> Forked:
    """Return dbctl with the service's profile file."""
    found = forked(dbctl, database)
    file = dbctl.cwd / "profiles.toml"
    file.write_text(TOP + file.read_text(encoding="utf-8"), encoding="utf-8")
    return found


@pytest.fixture(scope="session", params=KINDS)
def fleet_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    """A database of each kind in turn with the service's tables."""
    for database in make_shared(request.param, request):
        directory = tmp_path_factory.mktemp("service")
        configured(Dbctl(cwd=directory, home=directory), database).ok("init-tables")
        yield database


@pytest.fixture
def service(fleet_database: TestDatabase, dbctl: Dbctl) -> Service:
    """The service on a database of each kind in turn."""
    if fleet_database.server:
        fleet_database.server.revive()
    fleet_database.execute("DELETE FROM ship")
    return Service(fleet_database, configured(dbctl, fleet_database))


@pytest.fixture
def lite(sqlite_database: TestDatabase, dbctl: Dbctl) -> Service:
    """The service on SQLite, for what is the same on all databases."""
    found = configured(dbctl, sqlite_database)
    found.ok("init-tables")
    return Service(sqlite_database, found)


def line_of(module: str, code: str) -> str:
    """Return how dbctl names the line of the service's module that has this code."""
    lines = (SERVICES / "fleet" / f"{module}.py").read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if code in line]
    return f"fleet/{module}.py, line {number}"
