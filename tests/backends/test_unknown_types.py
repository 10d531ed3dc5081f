"""Tables of MySQL and MariaDB with columns of types that SQLAlchemy, and PyMySQL, do not know."""

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

VECTOR = "0000803f0000004000006040"

pytestmark = pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)


def columns_of(database: TestDatabase) -> str:
    """Return such columns as this server has, a vector last."""
    [(version,)] = database.execute("SELECT version()")
    number = tuple(map(int, str(version).split("-")[0].split(".")[:2]))
    vectors = number >= ((11, 7) if database.kind == "mariadb" else (9, 0))
    return f"p point NOT NULL, g geometry, {'v vector(3)' if vectors else 'v varbinary(12)'}"


def test_they_are_read_without_a_warning(on_database: Dbctl, database: TestDatabase) -> None:
    database.execute(f"CREATE TABLE thing (id integer PRIMARY KEY, {columns_of(database)}, n integer)")
    database.execute(f"INSERT INTO thing VALUES (1, point(1, 2), NULL, x'{VECTOR}', 5)")
    described = on_database.ok("describe", "thing")
    assert ("PRIMARY KEY (id)" in described.out, "SAWarning" in described.err) == (True, False), str(described)
    [row] = on_database.ok("query", "SELECT id, v, n FROM thing", "--json").json
    assert row == {"id": 1, "v": f"\\x{VECTOR}", "n": 5}
    on_database.ok("export", "thing", "thing.csv")
    on_database.ok("export", "--sql", "SELECT id, v FROM thing", "query.jsonl")
    assert f"\\\\x{VECTOR}" in (on_database.cwd / "query.jsonl").read_text()
    database.execute("UPDATE thing SET n = 6, v = NULL")
    result = on_database.ok("import", "thing.csv", "thing", "--on-conflict", "update")
    assert "SAWarning" not in result.err
    assert database.execute("SELECT n, hex(v) FROM thing") == [(5, VECTOR.upper())]
