"""What is told of rows that a protected profile's database refuses or changes: why and where, and no value."""

import json
from pathlib import Path

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked

VALUES = {"r": "[SECRET,1)", "b": "{1,SECRET}", "q": "SECRET & &", "c": "(1,SECRET)", "w": "aSECRET", "v": "SECRET"}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_no_part_of_a_value_is_told(dbctl: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TYPE two AS (a integer, b integer)")
    database.execute(
        "CREATE TABLE t (id integer PRIMARY KEY, r int4range, b integer[], q tsquery, c two, w text, v text)"
    )
    database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF NEW.w > '' THEN RAISE EXCEPTION 'not %', substr(NEW.w, 2); END IF;"
        " IF NEW.v > '' THEN RAISE EXCEPTION 'not %', NEW.v USING errcode = 'U0001'; END IF; RETURN NEW; END$$"
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
    result = other(*load, "all.jsonl", "t", "--max-errors", "6", "--json")
    assert (result.code, result.json["rejected"], "SECRET" in str(result)) == (0, 6, False), str(result)


@pytest.mark.parametrize("number", ["", "MYSQL_ERRNO = 31001, "], ids=["signal", "own"])
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_no_words_of_a_trigger_are_told(number: str, dbctl: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, w varchar(20))")
    database.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW BEGIN DECLARE told varchar(90);"
        f" SET told = concat('not ', substr(NEW.w, 2)); SIGNAL SQLSTATE '45000' SET {number}MESSAGE_TEXT = told; END"
    )
    other = forked(dbctl, database)
    (other.cwd / "profiles.toml").write_text(database.toml.replace("\n", "\nprotected = true\n", 1))
    (other.cwd / "t.csv").write_text("id,w\n1,aSECRET\n")
    for more in ([], ["--on-conflict", "skip"]):
        result = other("-p", "my", "import", "t.csv", "t", "--confirm", "my", *more)
        told = [word in str(result) for word in ("t.csv, line 2: a trigger refuses it", "SECRET")]
        assert (result.code, told) == (1, [True, False]), str(result)


def test_a_key_of_rows_that_differ_is_told_unless_no_value_may_be(dbctl: Forked, tmp_path: Path) -> None:
    source, target = (TestDatabase.on_file(tmp_path / name) for name in ("source.db", "target.db"))
    for database in (source, target):
        database.execute("CREATE TABLE t (mail text PRIMARY KEY, v text)")
    source.execute("INSERT INTO t VALUES ('a@x', 'a'), ('b@x', 'b')")
    target.execute("CREATE TRIGGER change AFTER INSERT ON t BEGIN UPDATE t SET v = 'c' WHERE mail = 'b@x'; END")
    on = with_profiles(dbctl, one=source, two=target)
    copy = ["copy", "t", "--from", "one", "--to", "two", "--verify"]
    told = on(*copy)
    assert (told.code, "in the source; they differ in b@x\n" in told.err) == (1, True), str(told)
    profiles = on.cwd / "profiles.toml"
    masked = [on(*copy, "--mask", "t.v=hash")]
    profiles.write_text(profiles.read_text().replace("[profiles.two]", "[profiles.two]\nprotected = true"))
    masked.append(on(*copy, "--confirm", "two"))
    for result in masked:
        words = ["differ in 1 row, of which no key is told" in result.err, "b@x" in result.err]
        assert (result.code, words) == (1, [True, False]), str(result)
    numbers = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 99)"
    source.execute(f"{numbers} INSERT INTO t SELECT n, n FROM s")
    target.execute("DROP TRIGGER change")
    target.execute("CREATE TRIGGER change AFTER INSERT ON t BEGIN UPDATE t SET v = 'c'; END")
    assert "differ in 8 rows, of which no key is told, and more" in on(*copy, "--confirm", "two").err


def test_values_of_a_file_without_a_header_are_not_told_as_names(dbctl: Forked) -> None:
    (dbctl.cwd / "profiles.toml").write_text('[profiles.it]\nurl = "sqlite:///it.db"\nprotected = true\n')
    on = ("-p", "it", "--confirm", "it")
    dbctl.ok("init-tables", *on)
    files = {"a.csv": "7,SECRET\n", "b.csv": "SECRET;7\n", "c.csv": "SECRET,SECRET\n", "d.jsonl": '{"SECRET": 1}\n'}
    commands = (["import", "hero"], ["heroes", "import"], ["transfer", "--file"])
    for name, text in files.items():
        (dbctl.cwd / name).write_text(text)
        for words in commands:
            line = [*words[:-1], name, words[-1]] if words[-1] == "hero" else [*words, name]
            result = dbctl(*line, *on)
            assert (result.code, name in result.err, "SECRET" in str(result)) == (2, True, False), str(result)
    result = dbctl("import", "a.csv", "hero", *on)
    assert "hero has no column as column 1 of the file is called; it has id, name" in result.err, str(result)
    assert "or --columns for a file without a header" in result.err, str(result)
