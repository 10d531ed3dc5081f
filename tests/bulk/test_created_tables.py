"""`dbctl copy --create`: the tables are what they are at the source, and what they are not is said."""

import random
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import PrimaryKeyConstraint
from sqlalchemy.dialects.postgresql.base import PGDialect

from tests.bulk.profiles import with_profiles
from tests.faults.steps import after_step, die
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.shared import make_shared
from tests.servers.client import rows

INDEXES = (
    "CREATE TABLE t (a int PRIMARY KEY, b text, c text, d jsonb)",
    "CREATE UNIQUE INDEX t_b ON t (b)",
    "CREATE UNIQUE INDEX t_part ON t (c) WHERE b IS NULL",
    "CREATE INDEX t_gin ON t USING gin (d)",
    "CREATE INDEX t_hash ON t USING hash (c)",
    "CREATE INDEX t_low ON t (lower(b))",
    "CREATE INDEX t_more ON t (a) INCLUDE (b, c)",
    "ALTER TABLE t ADD CONSTRAINT t_one UNIQUE (a, b) INCLUDE (c)",
    "INSERT INTO t VALUES (1, 'x', repeat('long', 9000), '{}')",
)
LEFT_OUT = {
    "t_part, which is partial",
    "t_gin, a gin index",
    "t_hash, a hash index",
    "t_low, which is of an expression",
}


KEYS = (
    "CREATE COLLATION mine (locale = 'C')",
    """CREATE TABLE t (a int, b text COLLATE "C", c text COLLATE mine, PRIMARY KEY (a) INCLUDE (b))""",
    "CREATE TABLE u (a int REFERENCES t DEFERRABLE INITIALLY DEFERRED, b int REFERENCES t)",
    "CREATE TABLE v (id bigserial PRIMARY KEY, a int)",
    "CREATE TABLE w (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int)",
    "INSERT INTO v (a) VALUES (1), (2)",
    "INSERT INTO w (a) VALUES (1), (2)",
)
TYPES = (
    "CREATE SCHEMA wear",
    "CREATE TYPE mood AS ENUM ('it''s', 'so so', 'ok')",
    """CREATE TYPE wear."Size" AS ENUM ('s', 'm')""",
    "CREATE TYPE place AS (x int, y text)",
    "CREATE DOMAIN price AS numeric(12, 3) CHECK (VALUE > 0)",
    "CREATE DOMAIN feeling AS mood",
    "CREATE TYPE span AS RANGE (subtype = float8)",
    """CREATE TABLE t (a int PRIMARY KEY, b mood, c mood[], d wear."Size", e wear."Size"[], f place, g place[],
                       h price, i price[], j feeling, k feeling[], l span, m inet[], n timestamp(3)[])""",
    """INSERT INTO t VALUES (1, 'ok', '{so so,it''s}', 'm', '{s,NULL}', '(1,"a b")', '{"(1,\\"a b\\")"}',
                             1.5, '{2.125,NULL}', 'ok', '{so so}', '[1.5,2]', '{::1}', '{2026-01-31 12:00:00.25}')""",
)
CREATED = {
    "b": "mood",
    "c": "mood[]",
    "d": 'wear."Size"',
    "e": 'wear."Size"[]',
    "f": "text",
    "g": "text",
    "h": "numeric(12,3)",
    "i": "numeric(12,3)[]",
    "j": "mood",
    "k": "mood[]",
    "l": "text",
    "m": "inet[]",
    "n": "timestamp(3) without time zone[]",
}


@pytest.fixture
def second(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """Another database of PostgreSQL."""
    yield from make_shared("postgresql", request)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_index_is_made_as_it_is_or_left_out(
    dbctl: Forked, database: TestDatabase, sqlite_database: TestDatabase, second: TestDatabase
) -> None:
    for statement in INDEXES:
        database.execute(statement)
    sqlite_database.execute("CREATE TABLE there (a int)")
    for other in (sqlite_database, second):
        on = with_profiles(dbctl, one=database, two=other)
        said = on.ok("copy", "t", "--from", "one", "--to", "two", "--create", "--lossy").err
        assert {left for left in LEFT_OUT if f"t is created without its index {left}" in said} == LEFT_OUT
        with pytest.raises(Exception, match=r"(?i)unique"):
            other.execute("INSERT INTO t (a, b) VALUES (2, 'x')")
        described = on.ok("-p", "two", "describe", "t", "--json").json
        names = {index["name"] for index in described["indexes"]} - {"t_pkey", "t_a_b_c_key", "sqlite_autoindex_t_1"}
        assert names == {"t_b", "t_more"}
        named = [line for line in said.splitlines() if "without the columns that it includes" in line]
        assert len(named) == (2 if other is sqlite_database else 0), said
    definitions = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 't'::regclass AND indnatts > 2"
    found = {definition.partition(" USING ")[2] for (definition,) in second.execute(definitions)}
    assert found == {"btree (a) INCLUDE (b, c)", "btree (a, b) INCLUDE (c)"}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_key_to_a_partitioned_table_is_one(
    dbctl: Forked, database: TestDatabase, sqlite_database: TestDatabase, second: TestDatabase
) -> None:
    database.execute("CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    for number in range(3):
        database.execute(f"CREATE TABLE part_{number} PARTITION OF part FOR VALUES FROM ({number}) TO ({number + 1})")
    database.execute("CREATE TABLE of_part (id int PRIMARY KEY, part int REFERENCES part ON DELETE CASCADE)")
    database.execute("INSERT INTO part VALUES (0), (2)")
    database.execute("INSERT INTO of_part VALUES (1, 2)")
    sqlite_database.execute("CREATE TABLE there (a int)")
    for other in (sqlite_database, second):
        on = with_profiles(dbctl, one=database, two=other)
        masks = ["--mask", "part.id=hash", "--mask", "of_part.part=hash"]
        said = on.ok("copy", "--all", "--from", "one", "--to", "two", "--create", *masks).err
        assert "without" not in said, said
        described = on.ok("-p", "two", "describe", "of_part", "--json").json
        assert "REFERENCES part(id) ON DELETE CASCADE" in str(described).replace(" (id)", "(id)").replace('"', "")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_collations_numbers_and_when_keys_are_looked_at_come_along(
    dbctl: Forked, database: TestDatabase, second: TestDatabase
) -> None:
    for statement in KEYS:
        database.execute(statement)
    on = with_profiles(dbctl, one=database, two=second)
    said = on.ok("copy", "t", "u", "v", "w", "--from", "one", "--to", "two", "--create").err
    for table in ("v", "w"):
        assert second.execute(f"INSERT INTO {table} (a) VALUES (3) RETURNING id") == [(3,)]
    numbers = "SELECT column_default, identity_generation FROM information_schema.columns WHERE column_name = 'id'"
    assert second.execute(f"{numbers} ORDER BY 1") == [("nextval('v_id_seq'::regclass)", None), (None, "ALWAYS")]
    assert said.count("t.c is created without its collation public.mine, which the target lacks") == 1, said
    includes = PrimaryKeyConstraint in dict(PGDialect.construct_arguments)  # SQLAlchemy since 2.0.41
    keys = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN ('t'::regclass, 'u'::regclass)"
    assert {text for (text,) in second.execute(f"{keys} AND contype <> 'n'")} == {
        f"PRIMARY KEY (a){' INCLUDE (b)' if includes else ''}",
        "FOREIGN KEY (a) REFERENCES t(a) DEFERRABLE INITIALLY DEFERRED",
        "FOREIGN KEY (b) REFERENCES t(a)",
    }
    query = "SELECT attcollation::regcollation::text FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'b'"
    assert second.execute(query) == [('"C"',)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_types_that_somebody_has_made_come_along_or_what_they_are_made_of(
    dbctl: Forked, database: TestDatabase, second: TestDatabase
) -> None:
    for statement in TYPES:
        database.execute(statement)
    on = with_profiles(dbctl, one=database, two=second)
    copy = ["copy", "t", "--from", "one", "--to", "two", "--create"]
    said = on.ok(*copy, "--verify").err
    assert "t.g is created as text: the target has no type place[]" in said
    types = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass"
    assert dict(second.execute(f"{types} AND attnum > 1")) == CREATED
    text = "SELECT row_to_json(s)::text FROM (SELECT b, c, e, i FROM t) s"
    assert second.execute(text) == database.execute(text)
    second.execute("DROP TABLE t")
    second.execute("CREATE TYPE place AS (x int, y text)")
    said = on.ok(*copy, "--verify").err  # the types that it has stay
    assert "place" not in said, said
    assert second.execute("SELECT (f).y, (g[1]).x FROM t") == [("a b", 1)]


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_number_without_a_sign_has_room(dbctl: Forked, database: TestDatabase, second: TestDatabase) -> None:
    database.execute("CREATE TABLE t (a int unsigned PRIMARY KEY, b smallint unsigned, c bigint unsigned, d smallint)")
    database.execute("INSERT INTO t VALUES (4294967295, 65535, 18446744073709551615, 1)")
    on = with_profiles(dbctl, one=database, two=second)
    on.ok("copy", "t", "--from", "one", "--to", "two", "--create", "--verify")
    assert second.execute("SELECT * FROM t") == [(4294967295, 65535, 18446744073709551615, 1)]


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_an_index_of_the_beginning_of_a_text_is_left_out(
    dbctl: Forked, database: TestDatabase, request: pytest.FixtureRequest
) -> None:
    database.execute("CREATE TABLE t (a int PRIMARY KEY, b text, KEY t_b (b(10)), FULLTEXT t_full (b))")
    for other in make_shared(database.kind, request):
        on = with_profiles(dbctl, one=database, two=other)
        said = on.ok("copy", "t", "--from", "one", "--to", "two", "--create").err
        assert "without its index t_b, which is of the beginning of a text" in said
        assert "without its index t_full, a fulltext index" in said


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_file_that_is_not_there_is_made(dbctl: Forked, database: TestDatabase, tmp_path: Path) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    database.execute("INSERT INTO t VALUES (7)")
    new = TestDatabase.on_file(tmp_path / "new.db")
    on = with_profiles(dbctl, own=database, new=new)
    line = ["copy", "t", "--from", "own", "--to", "new"]
    assert (on(*line).code, on(*line, "--create", "--dry-run").code, Path(new.name).exists()) == (4, 0, False)
    on.ok(*line, "--create")
    assert new.execute("SELECT * FROM t") == [(7,)]


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_a_table_takes_all_characters_though_its_database_does_not(
    dbctl: Forked, database: TestDatabase, sqlite_database: TestDatabase
) -> None:
    database.execute(f"ALTER DATABASE {database.name} CHARACTER SET latin1")
    sqlite_database.execute("CREATE TABLE t (a varchar(20) PRIMARY KEY, b text)")
    sqlite_database.execute("INSERT INTO t VALUES ('😀', 'ж')")
    on = with_profiles(dbctl, one=sqlite_database, two=database)
    for more in ([], ["--resume"]):
        on.ok("copy", "t", "--from", "one", "--to", "two", "--create", "--verify", *more)
        assert database.execute("SELECT hex(a), hex(b) FROM t") == [("F09F9880", "D0B6")]
        database.execute("DROP TABLE t")


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_texts_in_a_key_are_told_apart_as_the_source_does(
    dbctl: Forked, database: TestDatabase, second: TestDatabase, request: pytest.FixtureRequest
) -> None:
    second.execute("CREATE TABLE t (name text PRIMARY KEY, mail varchar(40) UNIQUE)")
    second.execute("CREATE TABLE u (id int, name text REFERENCES t)")
    second.execute("INSERT INTO t VALUES ('ada', 'é'), ('Ada', 'e'), ('ada ', 'E')")
    second.execute("INSERT INTO u VALUES (1, 'Ada')")
    copy = ["copy", "t", "u", "--create", "--verify"]
    with_profiles(dbctl, one=second, two=database).ok(*copy, "--from", "one", "--to", "two")
    database.execute("ALTER TABLE u ADD v varchar(9) COLLATE utf8mb4_swedish_ci")
    for other in make_shared(database.kind, request):
        with_profiles(dbctl, one=database, two=other).ok(*copy, "--from", "one", "--to", "two")
        other.execute("INSERT INTO t VALUES ('aDa', 'É')")
        query = "SELECT collation_name FROM information_schema.columns WHERE column_name = 'v' AND table_schema = ?"
        assert other.execute(query, other.name) == [("utf8mb4_swedish_ci",)]


def test_collations_of_sqlite_come_along(dbctl: Forked, sqlite_database: TestDatabase, tmp_path: Path) -> None:
    columns = "a text collate nocase UNIQUE, \"b\" text /* COLLATE x */ DEFAULT 'COLLATE y', c text COLLATE rtrim"
    sqlite_database.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {columns}, CHECK (a <> 'z' COLLATE nocase))")
    other = TestDatabase.on_file(tmp_path / "other.db")
    on = with_profiles(dbctl, one=sqlite_database, two=other)
    on.ok("copy", "t", "--from", "one", "--to", "two", "--create")
    other.execute("INSERT INTO t VALUES (1, 'x', 'y', 'z')")
    assert other.execute("SELECT a = 'X', b = 'Y', c = 'z  ' FROM t") == [(1, 0, 1)]


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_a_table_is_created_whole_though_the_run_is_killed(
    dbctl: Forked, database: TestDatabase, sqlite_database: TestDatabase, dice: random.Random
) -> None:
    columns = "id integer PRIMARY KEY, v integer, {0} integer REFERENCES {0} (id)"
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        sqlite_database.execute(f"CREATE TABLE {name} ({columns.format(other)})")
        sqlite_database.execute(f"CREATE INDEX of_{name} ON {name} (v)")
    on = with_profiles(Forked(dbctl.cwd, dbctl.home, of_tests=True), one=sqlite_database, two=database)
    copy = ["copy", "--all", "--from", "one", "--to", "two", "--create"]
    with after_step() as steps:
        on.ok(*copy)
    codes: list[int] = []
    for _ in range(4):
        for name in "abc":
            _without_checks(database, f"DROP TABLE IF EXISTS {name}")
        with after_step(dice.randrange(steps.count // 2, steps.count), die):
            codes.append(on(*copy).code)
        on.ok(*copy)
        for name in "abc":
            [(_, created)] = database.execute(f"SHOW CREATE TABLE {name}")
            assert (created.count("FOREIGN KEY"), created.count(f"KEY `of_{name}`")) == (1, 1), created
    assert set(codes) == {-signal.SIGKILL}


def _without_checks(database: TestDatabase, statement: str) -> None:
    with closing(database.connect()) as connection:
        rows(connection, "SET SESSION foreign_key_checks = 0")
        rows(connection, statement)
