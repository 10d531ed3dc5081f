"""The fixtures for tests of the command line: dbctl on SQLite with something in it."""

import shutil
from pathlib import Path

import pytest

from tests.cli.own import with_own_commands
from tests.harness.cli import Dbctl
from tests.harness.forked import Forked


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's tables in a SQLite file, with three teams, two heroes and a transfer."""
    directory = tmp_path_factory.mktemp("sample")
    dbctl = Forked(cwd=directory, home=directory)
    dbctl.ok("init-tables")
    dbctl.ok("teams", "add", "Preventers", "--headquarters", "Sharp Tower")
    dbctl.ok("teams", "add", "Z-Force")
    dbctl.ok("teams", "add", "Empty")
    dbctl.ok("heroes", "add", "Spider-Boy", "--secret-name", "Pedro", "--age", "16", "--team", "Preventers")
    dbctl.ok("heroes", "add", "Deadpond", "--secret-name", "Dive")
    dbctl.ok("transfer", "Spider-Boy", "--from", "Preventers", "--to", "Z-Force")
    return directory / "dev.db"


@pytest.fixture
def on_sample(dbctl: Forked, sample: Path) -> Forked:
    """Dbctl with a profile that is not taken, and a copy of the sample as its `dev.db`; the editor changes nothing."""
    shutil.copy(sample, dbctl.cwd / "dev.db")
    (dbctl.cwd / "profiles.toml").write_text('[profiles.spare]\nurl = "sqlite:///dev.db"\n')
    return dbctl.with_env(EDITOR="true")


@pytest.fixture
def own(dbctl: Dbctl) -> Dbctl:
    """dbctl with a package of commands of a service's own."""
    return with_own_commands(dbctl)
