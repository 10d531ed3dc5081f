"""`dbctl run script.sql`: one transaction, which the server splits; what fails is told by line, column and text."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.database import TestDatabase
from tests.services.running import Service, fleet_database, lite, service

__all__ = ["fleet_database", "lite", "service"]

QUOTES = """-- a comment; with a semicolon
INSERT INTO ship (name, tons) VALUES ('a;b', 1), (':who', 2); /* another; one */
INSERT INTO ship (name, tons)
  SELECT 'it''s', 3;
UPDATE ship SET tons = tons + 1 WHERE name = 'a;b' OR name = 'it''s';
SELECT name FROM ship;
DELETE FROM ship WHERE name = 'nobody';
"""


def script(service: Service, text: str, name: str = "script.sql") -> Path:
    path = service.dbctl.cwd / name
    path.write_text(text, encoding="utf-8")
    return path


def test_all_of_it_is_one_transaction_and_each_statement_is_told_with_verbose(service: Service) -> None:
    script(service, QUOTES)
    assert service.dbctl.ok("run", "script.sql").out == ""
    assert service.ships == {"a;b", ":who", "it's"}
    service.database.execute("DELETE FROM ship")
    done = service.dbctl.ok("run", "script.sql", "--verbose", "--json").json
    assert [(row["line"], row["rows"]) for row in done] == [(2, 2), (3, 1), (5, 2), (6, 3), (7, 0)]
    assert done[1]["statement"] == "INSERT INTO ship (name, tons) SELECT 'it''s', 3"


def test_a_dry_run_rolls_it_back(service: Service) -> None:
    script(service, QUOTES)
    done = service.dbctl.ok("run", "script.sql", "--verbose", "--dry-run", "--json").json
    assert [row["committed"] for row in done] == [False] * 5
    assert service.ships == set()


FAILING = {
    "a word that is wrong": ("INSERT INTO ship (name, tons)\n  VALUES ('b', 2) FORM;", 4, 19),
    "a column that is not there": ("INSERT INTO ship (name, tons)\n  SELECT nope, 1 FROM ship;", 4, 10),
    "a table that is not there": ("SELECT 1\nFROM nowhere;", 4, 6),
    "a name that is there already": ("INSERT INTO ship (name, tons) VALUES ('a', 1);", 3, 1),
}


@pytest.mark.parametrize("what", FAILING)
def test_a_statement_that_fails_is_told_by_its_place_and_all_is_rolled_back(service: Service, what: str) -> None:
    statement, line, column = FAILING[what]
    script(service, f"INSERT INTO ship (name, tons) VALUES ('a', 1);\n\n{statement}\nDELETE FROM ship;\n")
    result = service.dbctl("run", "script.sql")
    assert (result.code, result.out) == (1, ""), str(result)
    assert result.talk.count("\n") == 1
    assert result.talk.startswith(f"dbctl: error: script.sql, line {line}, column "), str(result)
    assert f", column {column}: " in result.talk
    assert f", in: {' '.join(statement.split()).rstrip(';')}" in result.talk
    assert service.ships == set()


def test_standard_input_is_a_script_too(service: Service) -> None:
    done = service.dbctl.ok("run", "-", "--verbose", "--json", stdin=QUOTES).json
    assert len(done) == 5
    result = service.dbctl("run", "-", stdin="SELECT 1;\nSELEKT 2;")
    assert result.talk.startswith("dbctl: error: standard input, line 2, column 1: ")


def test_a_parameter_is_a_literal_and_any_other_name_is_text(service: Service) -> None:
    insert = "INSERT INTO ship (name, tons) VALUES"
    script(service, f"{insert} (:name, :tons);\n-- :name\n{insert} (':name', 0);")
    hostile = 'it\'s \\ "x"; DROP TABLE ship'
    service.dbctl.ok("run", "script.sql", "--param", f"name={hostile}", "--param", "tons=5")
    assert service.ships == {hostile, ":name"}
    assert service.database.execute("SELECT tons FROM ship WHERE name = ?", hostile)[0][0] == 5


def test_a_parameter_without_a_value_is_told(service: Service) -> None:
    script(service, "UPDATE ship SET tons = 1;\nUPDATE ship SET tons = :tons;\n")
    result = service.dbctl("run", "script.sql")
    assert (result.code, "; give :tons its value with --param tons=VALUE\n" in result.err) == (1, True), str(result)


def test_names_of_a_cast_are_none_of_parameters(postgres_database: TestDatabase, lite: Service) -> None:
    from tests.services.running import configured

    dbctl = configured(lite.dbctl, postgres_database)
    dbctl.ok("init-tables")
    (dbctl.cwd / "cast.sql").write_text("INSERT INTO ship (name, tons) SELECT 'a', '5'::text::int WHERE :text = 'x'")
    dbctl.ok("run", "cast.sql", "--param", "text=x")
    assert postgres_database.execute("SELECT tons FROM ship") == [(5,)]


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        (["--param", "nobody=1"], 2, "script.sql: there is no :nobody in it"),
        (["--param", "name"], 2, "--param name is no parameter; write NAME=VALUE"),
        (["--param", "name=1", "--param", "name=2"], 2, "--param name is given twice"),
        (["--no-transaction", "--dry-run"], 2, "a dry run rolls all back"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(lite: Service, said: list[str], code: int, reason: str) -> None:
    script(lite, "INSERT INTO ship (name, tons) VALUES ('x', 1);")
    result = lite.dbctl("run", "script.sql", *said)
    assert result.code == code, str(result)
    assert f"dbctl: error: {reason}" in result.err
    assert lite.ships == set()


WORDS = {
    "sqlite": ["\\copy ship from x", ".import x ship", "DELIMITER //"],
    "postgresql": ["\\copy ship from x", "\\i other.sql", "COPY ship FROM STDIN;", "copy ship (name) to stdout"],
    "mariadb": ["DELIMITER //", "source other.sql", "\\. other.sql"],
    "mysql": ["DELIMITER //", "source other.sql", "\\. other.sql"],
}


def test_a_clients_own_words_are_refused_by_line(service: Service) -> None:
    for word in WORDS[service.database.kind]:
        script(service, f"INSERT INTO ship (name, tons) VALUES ('a', 1);\n{word}\n")
        result = service.dbctl("run", "script.sql")
        assert result.code == 2, str(result)
        assert "dbctl: error: script.sql, line 2, column 1: " in result.err
        assert "is a client's own word, which no server knows" in result.err
    script(service, "INSERT INTO ship (name, tons) VALUES ('\n\\copy', 1);\n/*\nDELIMITER // */")
    service.dbctl.ok("run", "script.sql")
    assert len(service.ships) == 1


@pytest.mark.parametrize("statement", ["BEGIN", "COMMIT", "START TRANSACTION", "ROLLBACK"])
def test_its_own_transactions_are_refused_by_line(service: Service, statement: str) -> None:
    script(service, f"INSERT INTO ship (name, tons) VALUES ('a', 1);\n{statement};\n")
    result = service.dbctl("run", "script.sql")
    assert result.code == 2, str(result)
    assert f"script.sql, line 2, column 1: {statement}: the script is one transaction already" in result.err
    assert "--no-transaction" in result.err
    assert service.ships == set()


ALONE = {
    "sqlite": "VACUUM;",
    "postgresql": "CREATE INDEX CONCURRENTLY ship_tons ON ship (tons);\nVACUUM ship;",
}


@pytest.mark.parametrize("kind", ALONE)
def test_what_no_transaction_takes_is_told_and_done_without_one(
    request: pytest.FixtureRequest, lite: Service, kind: str
) -> None:
    found = lite
    if kind == "postgresql":
        from tests.services.running import configured

        database: TestDatabase = request.getfixturevalue("postgres_database")
        found = Service(database, configured(lite.dbctl, database))
        found.dbctl.ok("init-tables")
    script(found, f"INSERT INTO ship (name, tons) VALUES ('a', 1);\n{ALONE[kind]}\nSELECT nope;\n")
    result = found.dbctl("run", "script.sql")
    assert result.code == 1, str(result)
    assert "script.sql, line 2, column 1: " in result.err
    assert "run it without one with --no-transaction" in result.err
    assert found.ships == set()
    result = found.dbctl("run", "script.sql", "--no-transaction")
    assert result.code == 1, str(result)
    before = ALONE[kind].count(";") + 1
    assert f"dbctl: {before} statements before it are committed, and stay\n" in result.err
    assert f"dbctl: error: script.sql, line {before + 1}, column " in result.err
    assert found.ships == {"a"}


OWN = (
    "INSERT INTO ship (name, tons) VALUES ('a', 1);\nBEGIN;\nINSERT INTO ship (name, tons) VALUES ('b', 2);\n{};\n"
    "INSERT INTO ship (name, tons) VALUES ('c', 3);\n"
)


@pytest.mark.parametrize(
    ("last", "code", "said", "ships"),
    [
        ("COMMIT", 0, "", {"a", "b", "c"}),
        ("SELECT nope", 1, "dbctl: 1 statement before it is committed, and stays\n", {"a"}),
        ("SELECT 1", 1, "script.sql: its last transaction is not ended, and is rolled back; end it with COMMIT", {"a"}),
    ],
)
def test_without_a_transaction_a_script_has_its_own(
    service: Service, last: str, code: int, said: str, ships: set[str]
) -> None:
    script(service, OWN.format(last))
    result = service.dbctl("run", "script.sql", "--no-transaction")
    assert (result.code, said in result.err) == (code, True), str(result)
    assert service.ships == ships


PROCEDURE = "CREATE PROCEDURE twice(x INT)\nBEGIN\n  IF x > 1 THEN SELECT 2; ELSE SELECT 3; END IF;\n  SELECT x;\nEND;"
BODIES = {
    "postgresql": "CREATE FUNCTION twice(x int) RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 2 * x;\nEND\n$$;",
    "mariadb": PROCEDURE,
    "mysql": PROCEDURE,
    "sqlite": "CREATE TRIGGER twice AFTER INSERT ON ship BEGIN\n  UPDATE ship SET tons = 2;\n  SELECT 1;\nEND;",
}


def test_statements_within_a_statement_are_its_own(service: Service) -> None:
    """It is the server that splits: what is in a function or a trigger needs no DELIMITER."""
    body = BODIES[service.database.kind]
    drop = {"postgresql": "FUNCTION", "sqlite": "TRIGGER"}.get(service.database.kind, "PROCEDURE")
    script(service, f"{body}\nINSERT INTO ship (name, tons) VALUES ('a', 1);\nSELEKT;\n")
    result = service.dbctl("run", "script.sql")
    assert f"script.sql, line {body.count(chr(10)) + 3}, column 1: " in result.err
    if service.database.dialect == "mysql":
        assert "line 1, column 1: CREATE commits by itself" in result.err
        service.database.execute(f"DROP {drop} twice")
    service.database.execute("DELETE FROM ship")
    script(service, f"{body}\nDROP {drop} twice;\n")
    done = service.dbctl.ok("run", "script.sql", "--verbose", "--json").json
    assert [row["line"] for row in done] == [1, body.count("\n") + 2]


def test_ddl_that_commits_by_itself_can_not_be_run_dry(service: Service) -> None:
    script(service, "INSERT INTO ship (name, tons) VALUES ('a', 1);\nCREATE TABLE extra (a INTEGER);\n")
    result = service.dbctl("run", "script.sql", "--dry-run")
    if service.database.dialect == "mysql":
        assert result.code == 1
        assert "script.sql, line 2, column 1: CREATE commits by itself, and can't be run dry" in result.err
    else:
        assert result.code == 0, str(result)
    assert service.ships == set()


INSERT = "INSERT INTO ship (name, tons) VALUES"
ENDING = {
    "SET autocommit": "SET autocommit = 1;",
    "SET with more": "SET @a = 1, autocommit = 1;",
    "PREPARE": "PREPARE s FROM 'COMMIT'; EXECUTE s;",
    "a comment that is run": "/*!40000 COMMIT */;",
    "a procedure": "CALL commits();",
}


@pytest.fixture
def commits(service: Service) -> Iterator[Service]:
    """The service on a MySQL or MariaDB that has a procedure which commits."""
    if service.database.dialect != "mysql":
        pytest.skip("what commits unseen is MySQL's and MariaDB's")
    service.database.execute("CREATE PROCEDURE commits() COMMIT")
    yield service
    service.database.execute("DROP PROCEDURE commits")


@pytest.mark.parametrize("what", ENDING)
def test_a_statement_that_ends_the_transaction_unseen_is_told_by_its_place(commits: Service, what: str) -> None:
    service = commits
    said = "the transaction was ended: what was done until there is committed and stays"
    script(service, f"{INSERT} ('a', 1);\n{ENDING[what]}\nSELECT 1;\n")
    result = service.dbctl.ok("run", "script.sql")
    assert "dbctl: script.sql, line 2, column " in result.err
    assert said in result.err
    service.database.execute("DELETE FROM ship")
    result = service.dbctl("run", "script.sql", "--dry-run")
    assert result.code == 1, str(result)
    assert "dbctl: error: script.sql, line 2, column " in result.err
    assert f"{said}, which a dry run can't undo" in result.err
    assert "nothing is committed" not in result.err
    assert service.ships == {"a"}
    service.database.execute("DELETE FROM ship")
    script(service, f"{INSERT} ('a', 1);\n{ENDING[what]}\nSELEKT;\n")
    result = service.dbctl("run", "script.sql")
    assert result.code == 1, str(result)
    assert said in result.err
    assert "dbctl: error: script.sql, line 3, column 1: " in result.err
    assert service.ships == {"a"}


def test_one_that_ends_it_and_fails_is_told_too(service: Service) -> None:
    if service.database.dialect != "mysql":
        pytest.skip("procedures that commit are MySQL's and MariaDB's here")
    service.database.execute(f"CREATE PROCEDURE fails() BEGIN {INSERT} ('p', 1); COMMIT; {INSERT} ('p', 1); END")
    script(service, "CALL fails();\n")
    result = service.dbctl("run", "script.sql")
    assert result.code == 1, str(result)
    assert "script.sql, line 1, column 1: the transaction was ended: what was done until there is comm" in result.err
    assert service.ships == {"p"}
    service.database.execute("DROP PROCEDURE fails")


def test_what_ends_no_transaction_is_not_told(service: Service) -> None:
    script(service, f"SELECT 1;\n{INSERT} ('a', 1);\nSAVEPOINT own;\n{INSERT} ('b', 1);\nROLLBACK TO own;\n")
    assert service.dbctl.ok("run", "script.sql").talk == ""
    assert service.ships == {"a"}


def test_a_script_of_nothing_is_nothing_to_do(service: Service) -> None:
    script(service, "-- nothing\n\n")
    result = service.dbctl.ok("run", "script.sql")
    assert (result.out, result.talk) == ("", "")


def test_standard_input_that_is_no_text_is_told_as_a_file_is(lite: Service) -> None:
    (lite.dbctl.cwd / "latin.sql").write_bytes(b"SELECT '\xe9';")
    for name in ("latin.sql", "-"):
        with lite.dbctl.spawn("run", name) as process:
            _, err = process.communicate(b"SELECT '\xe9';", 30)
        called = "standard input" if name == "-" else name
        assert process.returncode == 3, err.decode()
        assert f"dbctl: error: {called}: not UTF-8 text: " in err.decode()


def test_a_name_that_no_function_can_have_is_told(lite: Service) -> None:
    result = lite.dbctl("run", "seeds:a-b")
    assert result.code == 2
    assert "seeds:a-b: there is no such file, and a-b is no function's name" in result.err


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nowhere.sql", None),
        ("fleet.seed", "fleet.seed:FUNCTION"),
        ("fleet/nowhere.py", "as fleet.nowhere:FUNCTION"),
        ("fleet/seed.py:ships", "as fleet.seed:ships"),
    ],
)
def test_what_is_no_script_is_told(lite: Service, name: str, meant: str | None) -> None:
    result = lite.dbctl("run", name)
    assert result.code == 2
    assert result.talk.startswith(f"dbctl: error: {name}: there is no such file, and no function is named")
    assert (f"{meant}" in result.err) == (meant is not None)


def test_a_statement_that_takes_long_is_ended(service: Service) -> None:
    slow = {
        "postgresql": "SELECT pg_sleep(60)",
        "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n",
    }.get(service.database.kind, "SELECT SLEEP(60)")
    script(service, f"INSERT INTO ship (name, tons) VALUES ('a', 1);\n{slow};\n")
    result = service.dbctl("run", "script.sql", "--deadline", "1.5", timeout=30)
    assert result.code == 5, str(result)
    assert service.ships == set()


CROSSED = [f"information_schema.columns c{number}" for number in range(5)]


def test_each_statement_has_its_own_time(service: Service) -> None:
    slow = {
        "postgresql": "SELECT pg_sleep(60)",
        "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n",
    }.get(
        service.database.kind, f"SELECT COUNT(*) FROM {', '.join(f'information_schema.columns c{n}' for n in range(5))}"
    )
    script(service, f"INSERT INTO ship (name, tons) VALUES ('a', 1);\n{slow};\n")
    for more in ([], ["--no-transaction"]):
        result = service.dbctl("run", "script.sql", "--timeout", "0.5", *more, timeout=30)
        assert result.code == 5, str(result)
        assert "dbctl: error: script.sql, line 2, column 1: " in result.err
        # PostgreSQL's answers to several statements come together: nobody knows which of them took long.
        assert "1: statement_timeout 0.5 s: " in result.err or (service.database.kind == "postgresql" and not more)
        assert service.ships == ({"a"} if more else set())


def test_standard_input_is_read_once_however_often_it_is_run(lite: Service) -> None:
    """Another process has the write lock for longer than is waited, and then no more."""
    with contextlib.closing(lite.database.connect()) as other:
        other.cursor().execute("BEGIN IMMEDIATE")
        process = lite.dbctl.spawn("run", "-", "--retries", "9", "--lock-timeout", "0.3")
        assert process.stdin
        process.stdin.write(b"INSERT INTO ship (name, tons) VALUES ('a', 1);")
        process.stdin.close()
        time.sleep(1)
        other.cursor().execute("ROLLBACK")
        assert process.wait(20) in (0, 5)
        assert lite.ships == ({"a"} if process.returncode == 0 else set())
