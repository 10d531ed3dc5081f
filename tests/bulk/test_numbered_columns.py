"""`dbctl copy --create`: columns outside of the primary key that the source gives numbers to."""

from collections.abc import Iterator

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.shared import make_shared


@pytest.fixture
def second(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """Another database of PostgreSQL."""
    yield from make_shared("postgresql", request)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_column_outside_of_the_key_keeps_its_numbers_or_that_is_told_once(
    dbctl: Forked,
    database: TestDatabase,
    second: TestDatabase,
    sqlite_database: TestDatabase,
    request: pytest.FixtureRequest,
) -> None:
    columns = "id int PRIMARY KEY, b int GENERATED ALWAYS AS IDENTITY, c bigserial UNIQUE, d int DEFAULT 5"
    database.execute(f"CREATE TABLE t ({columns})")
    database.execute("INSERT INTO t VALUES (1), (2)")
    sqlite_database.execute("CREATE TABLE there (a int)")
    for mysql in make_shared("mysql", request):
        numbered = {"postgresql": (3, 3), "mysql": (None, 3), "sqlite": (None, None)}
        for other in (second, mysql, sqlite_database):
            on = with_profiles(dbctl, one=database, two=other)
            said = on.ok("copy", "t", "--from", "one", "--to", "two", "--create", "--verify").err
            lost = [name for name, number in zip("bc", numbered[other.kind], strict=True) if number is None]
            assert said.count("without the numbers") == bool(lost), said
            assert f"t.{', '.join(lost)} is created without the numbers" in said or not lost, said
            more = "".join(f", {name}" for name in lost)
            other.execute(f"INSERT INTO t (id{more}) VALUES (9{', 7' * len(lost)})")
            expected = tuple(7 if number is None else number for number in numbered[other.kind])
            assert other.execute("SELECT b, c FROM t WHERE id = 9") == [expected]
            if other is mysql:  # and from there on
                second.execute("DROP TABLE t")
                mysql.execute("ALTER TABLE t MODIFY c bigint unsigned NOT NULL AUTO_INCREMENT")
                on = with_profiles(dbctl, one=mysql, two=second)
                on.ok("copy", "t", "--from", "one", "--to", "two", "--create", "--verify")
                assert second.execute("INSERT INTO t (id, b) VALUES (10, 8) RETURNING c") == [(4,)]
