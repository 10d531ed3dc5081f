"""Each finding comes with what is wrong with a SQLite file, and goes with it."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.backends.findings import Level
from dbctl.doctor.diagnosis import examine
from dbctl.profiles import Profiles
from tests.doctor.findings import findings
from tests.harness.database import TestDatabase
from tests.harness.profile import engine_of, profile_of


@pytest.fixture
def file(sqlite_database: TestDatabase) -> Path:
    """A file that nobody else may read, with two tables of which one refers to the other."""
    sqlite_database.execute("CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT)")
    sqlite_database.execute("CREATE TABLE hero (id INTEGER PRIMARY KEY, team_id INTEGER REFERENCES team (id))")
    path = Path(sqlite_database.name)
    path.chmod(0o600)
    path.parent.chmod(0o755)
    return path


def test_a_good_file_has_no_finding_but_advice(sqlite_database: TestDatabase, file: Path) -> None:
    found = findings(sqlite_database, {"statement_timeout": 5}, deep=True)
    assert {check: finding.level for check, finding in found.items()} == {
        "journal_mode": Level.NOTE,
        "statement_timeout": Level.OK,
        "foreign_keys": Level.OK,
        "busy_timeout": Level.OK,
        "permissions": Level.OK,
        "integrity": Level.OK,
    }


def test_a_file_is_read_to_its_end_only_when_that_is_asked_for(sqlite_database: TestDatabase, file: Path) -> None:
    assert "integrity" not in findings(sqlite_database)


def test_the_file_stays_as_it_is(sqlite_database: TestDatabase, file: Path) -> None:
    before = file.read_bytes(), file.stat().st_mtime_ns, list(file.parent.iterdir())
    findings(sqlite_database, deep=True)
    assert (file.read_bytes(), file.stat().st_mtime_ns, list(file.parent.iterdir())) == before


def test_in_memory_there_is_no_file_to_look_at() -> None:
    for url in ("sqlite://", "sqlite:///file::memory:?uri=true"):
        profile = Profiles.load(url=url).select()
        assert {finding.check for finding in examine(profile)} == {"statement_timeout", "foreign_keys"}


def test_the_journals_mode(sqlite_database: TestDatabase, file: Path) -> None:
    found = findings(sqlite_database)["journal_mode"]
    assert (found.level, found.measured) == (Level.NOTE, "delete")
    assert found.fix
    sqlite_database.execute(found.fix.partition(",")[0])
    assert findings(sqlite_database)["journal_mode"].level is Level.OK


@pytest.mark.parametrize(
    ("check", "pragma", "level"),
    [
        ("foreign_keys", "foreign_keys = OFF", Level.ERROR),
        ("busy_timeout", "busy_timeout = 0", Level.WARNING),
        ("journal_mode", "journal_mode = OFF", Level.ERROR),
    ],
)
def test_settings_of_the_connection(
    sqlite_database: TestDatabase, file: Path, check: str, pragma: str, level: Level
) -> None:
    profile = profile_of(sqlite_database)
    with engine_of(profile, Missing.REFUSE) as engine:
        event.listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {pragma}"))
        with engine.connect() as connection:
            found = {finding.check: finding for finding in backend_of(profile).facts(connection).findings}
    assert found[check].level is level


@pytest.mark.parametrize(
    ("mode", "directory", "level"),
    [
        (0o600, 0o755, Level.OK),
        (0o666, 0o750, Level.OK),
        (0o600, 0o1777, Level.OK),
        (0o644, 0o755, Level.NOTE),
        (0o646, 0o755, Level.ERROR),
        (0o600, 0o777, Level.ERROR),
    ],
)
def test_what_others_may_do_with_the_file(
    sqlite_database: TestDatabase, file: Path, mode: int, directory: int, level: Level
) -> None:
    file.chmod(mode)
    file.parent.chmod(directory)
    try:
        assert findings(sqlite_database)["permissions"].level is level
    finally:
        file.parent.chmod(0o700)


def test_rows_that_refer_to_none(sqlite_database: TestDatabase, file: Path) -> None:
    sqlite_database.execute(
        "INSERT INTO hero VALUES (1, 7), (2, 7), (3, 7), (4, 7)"
    )  # unchecked: the bare driver's way
    found = findings(sqlite_database, deep=True)["integrity"]
    assert found.level is Level.ERROR
    assert found.measured.startswith("row 1 of hero refers to a row of team that is not there; row 2")
    assert found.measured.endswith(", and 1 more")
    assert (found.value, found.limit, found.unit) == (4, 0, "errors")
    sqlite_database.execute("DELETE FROM hero")
    assert findings(sqlite_database, deep=True)["integrity"].level is Level.OK


def test_a_value_that_its_column_forbids(sqlite_database: TestDatabase, file: Path) -> None:
    sqlite_database.execute("INSERT INTO team VALUES (1, NULL)")
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'TEXT', 'TEXT NOT NULL') WHERE name = 'team'")
        connection.commit()
    found = findings(sqlite_database, deep=True)["integrity"]
    assert (found.level, found.measured) == (Level.ERROR, "NULL value in team.name")
    assert "backup" in str(found.fix)


def test_pages_that_are_overwritten(sqlite_database: TestDatabase, file: Path) -> None:
    sqlite_database.execute("INSERT INTO team VALUES (1, 'Preventers')")
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)  # the first page has the schema
    file.write_bytes(content)
    assert findings(sqlite_database, deep=True)["integrity"].level is Level.ERROR
