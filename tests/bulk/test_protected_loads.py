"""What `dbctl import` tells of rows that a protected profile's database refuses: why and where, and no value."""

import json

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked

VALUES = {"r": "[SECRET,1)", "b": "{1,SECRET}", "q": "SECRET & &", "c": "(1,SECRET)", "w": "aSECRET"}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_no_part_of_a_value_is_told(dbctl: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TYPE two AS (a integer, b integer)")
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, r int4range, b integer[], q tsquery, c two, w text)")
    database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF NEW.w > '' THEN RAISE EXCEPTION 'not %', substr(NEW.w, 2); END IF; RETURN NEW; END$$"
    )
    database.execute("CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()")
    other = forked(dbctl, database)
    (other.cwd / "profiles.toml").write_text(database.toml.replace("\n", "\nprotected = true\n", 1))
    load = ["-p", "pg", "import", "--confirm", "pg"]
    lines = []
    for number, (name, value) in enumerate(VALUES.items()):
        lines.append(json.dumps({"id": number, name: value}) + "\n")
        (other.cwd / "one.jsonl").write_text(lines[-1])
        result = other(*load, "one.jsonl", "t")
        told = [word in str(result) for word in ("one.jsonl, line 1", "(SQLSTATE ", "SECRET")]
        assert (result.code, told) == (1, [True, True, False]), str(result)
    (other.cwd / "all.jsonl").write_text("".join(lines))
    result = other(*load, "all.jsonl", "t", "--max-errors", "5", "--json")
    assert (result.code, result.json["rejected"], "SECRET" in str(result)) == (0, 5, False), str(result)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_no_words_of_a_trigger_are_told(dbctl: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, w varchar(20))")
    database.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW BEGIN DECLARE told varchar(90);"
        " SET told = concat('not ', substr(NEW.w, 2)); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = told; END"
    )
    other = forked(dbctl, database)
    (other.cwd / "profiles.toml").write_text(database.toml.replace("\n", "\nprotected = true\n", 1))
    (other.cwd / "t.csv").write_text("id,w\n1,aSECRET\n")
    for more in ([], ["--on-conflict", "skip"]):
        result = other("-p", "my", "import", "t.csv", "t", "--confirm", "my", *more)
        told = [word in str(result) for word in ("t.csv, line 2: a trigger refuses it", "SECRET")]
        assert (result.code, told) == (1, [True, False]), str(result)
