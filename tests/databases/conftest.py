"""The fixtures for tests of databases as such: a place where there is none yet, and a service that is to be set up."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import KINDS, Kind
from tests.harness.forked import Forked
from tests.servers.server import Server

MODELS = """\
from sqlmodel import Field, SQLModel


class Item(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=50)
"""

SEED = """\
import time

from sqlmodel import Session, select

from app.models import Item


def main(session: Session) -> None:
    for name in ("pen", "cup"):
        if not session.exec(select(Item).where(Item.name == name)).first():
            time.sleep(0.1)
            session.add(Item(name=name))
"""

PASSWORD = "p@ss 'w\\ö%rd"


@dataclass(frozen=True)
class Place:
    """A database that is not there yet, as the superuser's profile has it.

    Attributes:
        dbctl: dbctl with that profile, `admin`.
        kind: which database system.
        name: the database's name, or its file's; one that has to be quoted, and is a pattern to GRANT.
        server: its server; None for SQLite.
    """

    dbctl: Forked
    kind: Kind
    name: str
    server: Server | None

    @property
    def at(self) -> Server:
        """The server."""
        assert self.server
        return self.server

    def state(self, *args: str) -> str:
        """Run a command, and return the state that it tells."""
        found: str = self.dbctl.ok(*args, "--json").json["state"]
        return found

    def steps(self, *args: str) -> dict[str, str]:
        """Run a command that sets up, and return the last state of each step."""
        return {row["step"]: row["state"] for row in self.dbctl.ok(*args, "--json").json}

    def profile(self, name: str, user: str, variable: str, more: str = "") -> None:
        """Add a profile of another role's to the file."""
        with self.toml.open("a", encoding="utf-8") as file:
            file.write(f'\n[profiles.{name}]\n{self.where}user = "{user}"\npassword_env = "{variable}"\n{more}')

    @property
    def toml(self) -> Path:
        """The profile file."""
        return self.dbctl.cwd / "profiles.toml"

    @property
    def where(self) -> str:
        """What a profile says of the place, without its user."""
        if self.server is None:
            return f'url = "sqlite:///{self.name}"\n'
        driver = "postgresql" if self.kind == "postgresql" else "mysql"
        return f'driver = "{driver}"\nhost = "127.0.0.1"\nport = {self.server.port}\ndatabase = "{self.name}"\n'


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, dbctl: Dbctl) -> Iterator[Place]:
    """A place on each kind in turn, where the database is gone after the test."""
    yield from _made(request.param, dbctl, request.getfixturevalue)


@pytest.fixture(params=KINDS[1:])
def server_place(request: pytest.FixtureRequest, dbctl: Dbctl) -> Iterator[Place]:
    """The same on each server in turn."""
    yield from _made(request.param, dbctl, request.getfixturevalue)


@pytest.fixture
def postgres_place(postgres: Server, dbctl: Dbctl) -> Iterator[Place]:
    """The same on PostgreSQL."""
    yield from _made("postgresql", dbctl, lambda _: postgres)


def _made(kind: Kind, dbctl: Dbctl, fixture: Callable[[str], Server]) -> Iterator[Place]:
    name = f"shop-_{uuid.uuid4().hex[:8]}"
    if kind == "sqlite":
        found = Place(Forked(cwd=dbctl.cwd, home=dbctl.home), kind, f"{name}.db", None)
        found.toml.write_text(f'default = "admin"\n[profiles.admin]\n{found.where}', encoding="utf-8")
        yield found
        return
    server = fixture({"postgresql": "postgres"}.get(kind, kind))
    server.revive()
    env = {"ADMIN_PASSWORD": server.password, "APP_PASSWORD": server.app_password, "ROLE_PASSWORD": PASSWORD}
    found = Place(Forked(cwd=dbctl.cwd, home=dbctl.home, env=env), kind, name, server)
    found.toml.write_text('default = "admin"\n', encoding="utf-8")
    found.profile("admin", server.user, "ADMIN_PASSWORD")
    yield found
    server.revive()
    server.drop_database(name)


@pytest.fixture
def service() -> Callable[[Place], None]:
    """What writes a service with models and a seed, and names them in the profile file."""

    def write(place: Place) -> None:
        app = place.dbctl.cwd / "app"
        app.mkdir()
        (app / "__init__.py").touch()
        (app / "models.py").write_text(MODELS, encoding="utf-8")
        (app / "seed.py").write_text(SEED, encoding="utf-8")
        text = place.toml.read_text(encoding="utf-8")
        place.toml.write_text(f'models = ["app.models"]\nseed = "app.seed:main"\n{text}', encoding="utf-8")

    return write
