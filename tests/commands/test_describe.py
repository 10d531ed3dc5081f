"""`dbctl describe`: a table as the server has it, and as its model has it."""

from importlib.util import find_spec

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked
from tests.harness.sample import Sample

needs_drift = pytest.mark.skipif(
    find_spec("alembic.runtime.plugins") is None, reason="models are compared by alembic 1.18 or newer"
)
TRIGGERS = {
    "sqlite": ["CREATE TRIGGER tr AFTER INSERT ON child BEGIN DELETE FROM parent; END"],
    "postgresql": [
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION f()",
    ],
    "mariadb": ["CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW SET NEW.n = 1"],
    "mysql": ["CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW SET NEW.n = 1"],
}


@pytest.fixture
def family(database: TestDatabase, dbctl: Dbctl) -> Dbctl:
    """Dbctl on a database with two tables, one of which refers to the other."""
    database.execute("CREATE TABLE parent (id INT PRIMARY KEY, code VARCHAR(9) UNIQUE)")
    database.execute(
        "CREATE TABLE child (id INT PRIMARY KEY, parent_id INT NOT NULL, n INT DEFAULT 7,"
        " CONSTRAINT n_is_positive CHECK (n > 0),"
        " CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE)"
    )
    database.execute("CREATE INDEX ix_n ON child (n)")
    for statement in TRIGGERS[database.kind]:
        database.execute(statement)
    return forked(dbctl, database)


def test_all_its_parts_are_one_object(family: Dbctl, database: TestDatabase) -> None:
    child = family.ok("describe", "child", "--json").json
    assert (child["table"], child["kind"], child["rows"], child["estimated"]) == ("child", "table", 0, False)
    assert [(one["name"], one["nullable"]) for one in child["columns"]][1:] == [("parent_id", False), ("n", True)]
    assert child["columns"][2]["default"] == "7"
    assert "ix_n" in [one["name"] for one in child["indexes"]]
    constraints = " ".join(one["definition"] for one in child["constraints"])
    assert "PRIMARY KEY (id)" in constraints
    assert "CHECK" in constraints
    assert "FOREIGN KEY (parent_id) REFERENCES parent" in constraints
    assert "ON DELETE CASCADE" in constraints
    assert [one["name"] for one in child["triggers"]] == ["tr"]
    assert "INSERT" in child["triggers"][0]["definition"]
    assert (child["referenced_by"], child["drift"]) == ([], None)
    parent = family.ok("describe", "parent", "--json").json
    [reference] = parent["referenced_by"]
    assert (reference["table"], reference["name"]) == ("child", "of_parent")
    assert "ON DELETE CASCADE" in reference["definition"]


def test_what_is_known_of_indexes_is_told_and_what_is_not_is_said(family: Dbctl, database: TestDatabase) -> None:
    result = family.ok("describe", "child", "--json")
    [index] = [one for one in result.json["indexes"] if one["name"] == "ix_n"]
    if database.kind == "postgresql":
        assert (index["scans"], index["bytes"]) == (0, 8192)
    else:
        assert index["scans"] is None
        told = "this server does not tell this user how often an index is read" in result.err
        assert told is (database.kind != "sqlite")


def test_it_is_shown_in_every_format(family: Dbctl) -> None:
    table = family.ok("describe", "child", "-o", "table").out
    for heading in ("columns", "indexes", "constraints", "triggers"):
        assert f"\n\n{heading}\n" in table
    rows = [line.split("\t") for line in family.ok("describe", "child").out.splitlines()]
    assert rows[0] == ["part", "name", "definition"]
    assert {row[0] for row in rows[1:]} == {"columns", "indexes", "constraints", "triggers"}
    assert rows[3][:2] == ["columns", "n"]
    assert rows[3][2].endswith("DEFAULT 7")
    for output in ("csv", "jsonl"):
        assert "ix_n" in family.ok("describe", "child", "-o", output).out


def test_what_is_not_there_is_an_error(family: Dbctl) -> None:
    result = family("describe", "nowhere")
    assert (result.code, result.talk.splitlines()[-1]) == (1, "dbctl: error: there is no table nowhere")


@needs_drift
def test_it_is_held_against_its_model(sample: Sample) -> None:
    hero = sample.dbctl.ok("describe", "hero", "--json").json
    assert (hero["drift"], {one["model"] for one in hero["columns"]}) == ([], {"same"})
    assert [one["table"] for one in hero["referenced_by"]] == ["transfer_log"]


@needs_drift
def test_a_difference_from_its_model_stands_by_the_column(database: TestDatabase, dbctl: Dbctl) -> None:
    dbctl = forked(dbctl, database)
    dbctl.ok("init-tables")
    database.execute("ALTER TABLE team ADD COLUMN more VARCHAR(5)")
    if database.server:
        kind = "TYPE bigint" if database.kind == "postgresql" else "bigint"
        word = "ALTER COLUMN" if database.kind == "postgresql" else "MODIFY COLUMN"
        database.execute(f"ALTER TABLE hero {word} age {kind}")
        hero = dbctl.ok("describe", "hero", "--json").json
        [declared] = [one["model"] for one in hero["columns"] if one["name"] == "age"]
        assert declared.startswith("INTEGER")
        assert [one["name"] for one in hero["drift"]] == ["column age, type"]
    team = dbctl.ok("describe", "team", "--json").json
    assert [one["model"] for one in team["columns"]] == ["same", "same", "same", "missing"]
    assert [one["name"] for one in team["drift"]] == ["column more"]


def test_models_that_cant_be_imported_are_said_and_left_out(sample: Sample) -> None:
    file = sample.dbctl.cwd / "profiles.toml"
    file.write_text('models = ["nowhere_at_all"]\n' + file.read_text(encoding="utf-8"), encoding="utf-8")
    result = sample.dbctl.ok("describe", "hero", "--json")
    assert "dbctl: it is not compared with its model: " in result.err
    assert result.json["drift"] is None
    assert sample.dbctl("describe", "hero", "--models", "nowhere_at_all").code == 3


def test_partitions(server_database: TestDatabase, dbctl: Dbctl) -> None:
    if server_database.kind == "postgresql":
        server_database.execute("CREATE TABLE p (a INT PRIMARY KEY) PARTITION BY RANGE (a)")
        server_database.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
    else:
        server_database.execute(
            "CREATE TABLE p (a INT PRIMARY KEY) PARTITION BY RANGE (a) (PARTITION p1 VALUES LESS THAN (10))"
        )
    found = forked(dbctl, server_database).ok("describe", "p", "--json").json
    assert found["kind"] == "partitioned table"
    [part] = found["partitions"]
    assert part["name"] == "p1"
    assert "10" in part["definition"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_index_of_an_expression_is_told_as_it_was_made(family: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE INDEX ix_odd ON child (abs(n)) WHERE n > 3")
    result = family.ok("describe", "child", "--json")
    [odd] = [one["definition"] for one in result.json["indexes"] if one["name"] == "ix_odd"]
    assert (odd, "Warning" in result.err) == ("INDEX (abs(n)) WHERE n > 3", False)
