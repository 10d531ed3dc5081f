"""`dbctl import` of rows that a type's own parser or a trigger refuses, by whichever error: each is named."""

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked

BAD = {
    "tree ltree": ("a..b", "ltree syntax error"),
    "pairs hstore": ("x", "nexpected end of string"),
    "place regclass": ("nowhere", "does not exist"),
    "sort regtype": ("nothing", "does not exist"),
    "path jsonpath": ("$$", "syntax error"),
    "doc jsonb": ("[,\n", "invalid input syntax for type json"),
}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_is_no_value_of_its_type_is_named_by_line_and_column(dbctl: Forked, database: TestDatabase) -> None:
    for name in ("ltree", "hstore"):
        database.execute(f"CREATE EXTENSION {name}")
    database.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {', '.join(BAD)})")
    other = forked(dbctl, database)
    names = [column.partition(" ")[0] for column in BAD]
    good, lines = ["0" + "," * len(names)], []
    for place, (name, (value, said)) in enumerate(zip(names, BAD.values(), strict=True)):
        lines.append(f'{place + 1}{"," * (place + 1)}"{value}"{"," * (len(names) - place - 1)}')
        (other.cwd / "t.csv").write_text("\n".join([",".join(["id", *names]), *good, lines[-1], ""]))
        for more in ([], ["--on-conflict", "skip"]):
            result = other("import", "t.csv", "t", "--json", *more)
            assert (result.code, f"t.csv, line 3, column {name}: " in result.err) == (1, True), str(result)
            assert (said in result.err, "init-tables" in result.err) == (True, False), str(result)
    (other.cwd / "t.csv").write_text("\n".join([",".join(["id", *names]), *good, *lines, ""]))
    result = other.ok("import", "t.csv", "t", "--max-errors", "6", "--json")
    assert (result.json["rows"], result.json["rejected"]) == (1, 6), str(result)
    assert [f"t.csv, line {at}, column {name}" in result.err for at, name in enumerate(names, 3)] == [True] * 6


TRIGGERS = {
    "postgresql": (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
        " IF NEW.w = 'own' THEN RAISE 'not %', NEW.w USING errcode = 'U0001';"
        " ELSIF NEW.w = 'state' THEN RAISE 'not %', NEW.w USING errcode = '55000';"
        " ELSIF NEW.w = 'lost' THEN INSERT INTO nowhere VALUES (1); END IF; RETURN NEW; END$$",
        "CREATE TRIGGER refuse AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
    "mysql": (
        "CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW IF NEW.w = 'own' THEN"
        " SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 31001, MESSAGE_TEXT = 'not own'; ELSEIF NEW.w = 'state' THEN"
        " SIGNAL SQLSTATE '02000' SET MESSAGE_TEXT = 'not state'; END IF",
    ),
}
TRIGGERS["mariadb"] = TRIGGERS["mysql"]


@pytest.mark.each
@pytest.mark.parametrize("database", TRIGGERS, indirect=True)
def test_what_a_trigger_raises_is_a_rows_fault_whatever_its_number(dbctl: Forked, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, w varchar(9))")
    for statement in TRIGGERS[database.kind]:
        database.execute(statement)
    words = ["own", "state", *["lost"] * (database.kind == "postgresql")]
    other = with_profiles(dbctl, it=database)
    rows = "".join(f"{number},{word}\n" for number, word in enumerate(["a", *words, "b"]))
    (other.cwd / "t.csv").write_text(f"id,w\n{rows}")
    for more in ([], ["--on-conflict", "update"]):
        result = other.ok("-p", "it", "import", "t.csv", "t", "--max-errors", "3", *more, "--dry-run", "--json")
        assert (result.json["rows"], result.json["rejected"]) == (2, len(words)), str(result)
        assert ("t.csv, line 3: not own" in result.err, "init-tables" in result.err) == (True, False), str(result)
    result = other("-p", "it", "import", "t.csv", "t", "--on-conflict", "skip")
    assert (result.code, "t.csv, line 3: not own" in result.err) == (1, True), str(result)
