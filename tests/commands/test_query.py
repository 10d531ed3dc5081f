"""`dbctl query`: what it shows, what it refuses to write, what it tells and asks before it commits."""

import json
import signal
import time

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked
from tests.harness.sample import Sample

ALL = "SELECT id, name, age FROM hero ORDER BY id"
UPDATE = "UPDATE hero SET age = 50 WHERE age IS NULL"
NAMED = {"sqlite": '"" AS ""', "postgresql": '1 AS "a b"', "mariadb": "''", "mysql": "''"}

# Enough rows that neither a pipe nor a terminal takes them all at once.
NUMBERS = {
    "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {most}) SELECT n FROM c",
    "postgresql": "SELECT n FROM generate_series(1, {most}) AS s(n)",
    "mariadb": "SELECT seq AS n FROM seq_1_to_{most}",
    "mysql": "SELECT n FROM JSON_TABLE(CONCAT('[1', REPEAT(',1', {most} - 1), ']'),"
    " '$[*]' COLUMNS (n FOR ORDINALITY)) s",
}
ENDLESS = {
    "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
    "postgresql": "SELECT pg_sleep(30)",
    "mariadb": "SELECT SLEEP(30)",
    "mysql": "SELECT SLEEP(30)",
}


def numbers(sample: Sample, most: int) -> str:
    return NUMBERS[sample.database.kind].format(most=most)


def ages(sample: Sample) -> list[object]:
    return [row[3] for row in sample.rows["hero"]]


def running(sample: Sample) -> int:
    """Count the server's sessions, besides the one that asks, which run what sleeps."""
    query = {
        "sqlite": "SELECT 0",
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(30)'",
    }
    other = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(30)'"
    [(count,)] = sample.database.execute(query.get(sample.database.kind, other))
    return int(count)


def test_rows_are_shown_in_every_format(sample: Sample) -> None:
    found = sample.dbctl.ok("query", ALL, "--json").json
    assert found[:2] == [{"id": 1, "name": "Deadpond", "age": None}, {"id": 2, "name": "Spider-Boy", "age": 16}]
    assert sample.dbctl.ok("query", f"{ALL} LIMIT 2").out == "id\tname\tage\n1\tDeadpond\t\n2\tSpider-Boy\t16\n"
    assert sample.dbctl.ok("query", f"{ALL} LIMIT 1", "-o", "csv").out == "id,name,age\n1,Deadpond,\n"
    assert (
        sample.dbctl.ok("query", f"{ALL} LIMIT 1", "-o", "jsonl").out == '{"id": 1, "name": "Deadpond", "age": null}\n'
    )


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM transfer_log",
        UPDATE,
        "CREATE TABLE other (id INT)",
        "DROP TABLE transfer_log",
        "SELECT 1; " + UPDATE,
    ],
)
def test_the_database_refuses_to_write(sample: Sample, statement: str) -> None:
    before = sample.rows
    result = sample.dbctl("query", statement)
    assert result.code == 1, str(result)
    assert result.talk.startswith("dbctl: error: the query, line 1, column ")
    assert result.talk.count("\n") == 1
    assert sample.rows == before


ENDING = {
    "sqlite": ["PRAGMA query_only = OFF"],
    "postgresql": ["SET TRANSACTION READ WRITE", "SELECT set_config('transaction_read_only', 'off', true)"],
    "mariadb": ["SET autocommit = 1", "/*!COMMIT*/"],
    "mysql": ["SET autocommit = 1", "/*!COMMIT*/"],
}


def test_no_statement_ends_the_transaction_that_reads_only(sample: Sample) -> None:
    before = sample.rows
    for statement in [*ENDING[sample.database.kind], "COMMIT", "BEGIN", "ROLLBACK"]:
        result = sample.dbctl("query", f"{statement}; DELETE FROM transfer_log; {UPDATE}")
        assert result.code in {1, 2}, str(result)
        assert "dbctl: error: the query, line 1, column 1: " in result.err
        assert "one with --no-transaction" not in result.err, "which query does not have"
        assert sample.rows == before


def test_with_write_it_is_committed_and_told(sample: Sample) -> None:
    result = sample.dbctl.ok("query", "--write", UPDATE)
    assert "\ndbctl: 3 rows changed\n" in result.err
    assert result.out == "changed\n3\n"
    assert ages(sample) == [50, 16, 48, 50, 50]


def test_what_the_commit_refuses_is_not_said_to_be_changed(dbctl: Dbctl, postgres_database: TestDatabase) -> None:
    postgres_database.execute("CREATE TABLE p (i INT UNIQUE, q INT REFERENCES p (i) DEFERRABLE INITIALLY DEFERRED)")
    result = forked(dbctl, postgres_database)("query", "--write", "INSERT INTO p VALUES (1, 2)")
    assert (result.code, "violates foreign key" in result.err, "changed" in result.err) == (1, True, False), str(result)


def test_a_dry_run_rolls_back(sample: Sample) -> None:
    result = sample.dbctl.ok("query", "--write", "--dry-run", UPDATE, "--json")
    assert result.json == [{"changed": 3, "committed": False}]
    assert ages(sample) == [None, 16, 48, None, None]


def test_an_expectation_that_fails_rolls_back(sample: Sample) -> None:
    result = sample.dbctl("query", "--write", UPDATE, "--expect-rows", "1")
    assert (result.code, result.out) == (6, "changed\n3\n"), str(result)
    assert "dbctl: error: 3 rows, where 1 was expected" in result.err
    assert ages(sample) == [None, 16, 48, None, None]
    sample.dbctl.ok("query", "--write", UPDATE, "--expect-rows", "3")
    assert ages(sample) == [50, 16, 48, 50, 50]


def test_an_expectation_is_held_against_the_rows_which_are_shown_all_the_same(sample: Sample) -> None:
    result = sample.dbctl("query", "SELECT name FROM hero WHERE age > 40", "--expect-none", "--json")
    assert (result.code, result.json) == (6, [{"name": "Rusty-Man"}])
    assert result.talk == "dbctl: error: 1 row, where none were expected\n"
    sample.dbctl.ok("query", "SELECT name FROM hero WHERE age > 400", "--expect-none")
    sample.dbctl.ok("query", ALL, "--expect-rows", "5", "--limit", "2")
    result = sample.dbctl("query", numbers(sample, 200_000), "--expect-rows", "5", "--limit", "2")
    assert (result.code, result.out) == (6, "n\n1\n2\n")
    assert "dbctl: error: more than 5 rows, where 5 were expected" in result.err


def test_one_value_is_printed_bare(sample: Sample) -> None:
    assert sample.dbctl.ok("query", "--single", "SELECT count(*) FROM hero").out == "5\n"
    assert sample.dbctl.ok("query", "--single", "SELECT name FROM hero WHERE id = 1", "--json").out == '"Deadpond"\n'
    for statement, reason in (
        ("SELECT name FROM hero", "there are several rows"),
        ("SELECT name FROM hero WHERE id = 0", "there is no row"),
        ("SELECT id, name FROM hero WHERE id = 1", "there are 2 values in the row"),
    ):
        result = sample.dbctl("query", "--single", statement)
        assert (result.code, result.out) == (1, "")
        assert result.talk.startswith(f"dbctl: error: {reason}, where one")


def test_parameters_are_texts_or_what_they_are_said_to_be(sample: Sample) -> None:
    statement = "SELECT name FROM hero WHERE name = :name"
    hostile = "x' OR '1' = '1"
    assert sample.dbctl.ok("query", statement, "--param", f"name={hostile}").out == "name\n"
    assert sample.dbctl.ok("query", statement, "--param", "name=Deadpond").out == "name\nDeadpond\n"
    typed = "SELECT 5-:n AS a, :gone AS b, CASE WHEN :yes THEN 1 ELSE 0 END AS c FROM hero LIMIT :most"
    said = ["--param", "n:number=-3", "--param", "gone:null=", "--param", "yes:bool=true", "--param", "most:number=1"]
    assert sample.dbctl.ok("query", typed, *said, "--json").json == [{"a": 8, "b": None, "c": 1}]
    for wrong in ("n", "n:number=x", "n:bool=maybe", "n:null=1", "n:date=1", "n:number=1 OR 1"):
        assert sample.dbctl("query", "SELECT :n", "--param", wrong).code == 2
    lacking = sample.dbctl("query", "SELECT ':no' AS x, :n + 1")
    assert (lacking.code, "; give :n its value with --param n=VALUE\n" in lacking.err) == (1, True), str(lacking)
    assert "--param" not in sample.dbctl("query", "SELECT ':n' AS x FRM").err


def test_percent_signs_and_colons_are_text(sample: Sample) -> None:
    assert (
        sample.dbctl.ok("query", "SELECT name FROM hero WHERE name LIKE 'Dead%' AND ':x' <> '%s'").out
        == "name\nDeadpond\n"
    )


def test_a_comment_that_it_begins_with_is_no_option(sample: Sample) -> None:
    assert sample.dbctl.ok("query", "-- who = what\nSELECT 1 AS x").out == "x\n1\n"
    assert "No such option" not in sample.dbctl("query", "--who\nSELECT 1").err
    assert sample.dbctl("query", "--who", "SELECT 1").code == 2


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_cast_may_stand_right_behind_a_parameter(on_database: Dbctl) -> None:
    found = on_database.ok("query", "SELECT :a::integer + 1 AS x, '1:2'::text AS y", "--param", "a=4", "--json").json
    assert found == [{"x": 5, "y": "1:2"}]


def test_several_statements_each_have_their_result(sample: Sample) -> None:
    several = f"SELECT 1 AS x;\n{ALL} LIMIT 1;\nSELECT name FROM hero WHERE id = 0"
    found = sample.dbctl.ok("query", several, "--json").json
    assert [(one["line"], one["changed"], one["rows"]) for one in found] == [
        (1, None, [{"x": 1}]),
        (2, None, [{"id": 1, "name": "Deadpond", "age": None}]),
        (3, None, []),
    ]
    table = sample.dbctl.ok("query", several, "-o", "table").out
    assert table == "x\n─\n1\n\nid   name       age\n───────────────────\n 1   Deadpond\n\nname\n────\n"
    assert sample.dbctl.ok("query", several, "-o", "jsonl").out.count("\n") == 2
    for output in ("csv", "tsv"):
        result = sample.dbctl("query", several, "-o", output)
        assert (result.code, result.out) == (2, "x\n1\n")
        assert (
            f"dbctl: error: line 2: {ALL} LIMIT 1: a second result, and {output.upper()} has one header" in result.err
        )


def test_several_that_write_are_refused_in_csv_before_the_commit(sample: Sample) -> None:
    result = sample.dbctl("query", "--write", f"{UPDATE}; SELECT 1 AS x; SELECT 2 AS y", "-o", "csv")
    assert (result.code, result.out) == (2, "")
    assert ages(sample) == [None, 16, 48, None, None]
    found = sample.dbctl.ok("query", "--write", f"{UPDATE}; SELECT 1 AS x", "--json").json
    assert [(one["changed"], one["rows"]) for one in found] == [(3, None), (None, [{"x": 1}])]
    assert sample.dbctl.ok("query", "--write", f"{UPDATE}; SELECT 1 AS x", "-o", "csv").out == "x\n1\n"


def test_equal_and_odd_names_of_columns_lose_no_value(sample: Sample) -> None:
    found = sample.dbctl.ok("query", "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a", "--json").json
    assert found == [{"a": 1, "a_3": 2, "a_2": 3, "a_4": 4}]
    odd = NAMED[sample.database.kind]
    [row] = sample.dbctl.ok("query", f"SELECT {odd}, 2 AS b", "--json").json
    assert list(row) == ["a b" if "a b" in odd else "", "b"]
    for output in ("table", "csv", "tsv", "jsonl"):
        sample.dbctl.ok("query", f"SELECT {odd}, 2 AS b", "-o", output)
    quote = "`" if sample.database.dialect == "mysql" else '"'
    assert sample.dbctl.ok("query", f"SELECT 1 AS {quote}a.b{quote}", "--json").json == [{"a.b": 1}]


def test_a_limit_cuts_and_says_so_only_where_there_is_more(sample: Sample) -> None:
    cut = sample.dbctl.ok("query", ALL, "--limit", "4")
    assert (cut.out.count("\n"), cut.talk) == (5, "dbctl: there are more than these 4 rows; --limit 0 shows all\n")
    whole = sample.dbctl.ok("query", ALL, "--limit", "5")
    assert (whole.out.count("\n"), whole.talk) == (6, "")
    several = sample.dbctl.ok("query", f"{numbers(sample, 100_000)}; SELECT 7 AS x", "--limit", "1", "--json").json
    assert [one["rows"] for one in several] == [[{"n": 1}], [{"x": 7}]]


def test_on_a_terminal_a_thousand_rows_are_enough(sample: Sample) -> None:
    shown = sample.dbctl.tty("query", numbers(sample, 1200), columns=80)
    assert "there are more than these 1000 rows" in shown.plain
    assert "1000" in shown.plain.split()
    assert "1001" not in shown.plain.split()
    assert sample.dbctl.ok("query", numbers(sample, 1200)).out.count("\n") == 1201


def test_it_explains_and_measures_and_leaves_nothing(sample: Sample) -> None:
    assert sample.dbctl.ok("query", "--explain", ALL).out
    assert sample.dbctl("query", "--analyze", ALL).code == 2
    result = sample.dbctl("query", "--explain", "--analyze", ALL)
    if sample.database.kind == "sqlite":
        assert (result.code, result.talk) == (
            1,
            "dbctl: error: SQLite measures no statement: it explains the plan alone\n",
        )
        return
    assert result.code == 0, str(result)
    assert "actual" in result.out.lower() or "r_rows" in result.out.lower()
    if sample.database.kind != "mysql":  # which measures nothing that writes
        assert sample.dbctl("query", "--explain", "--analyze", UPDATE).code == 1
        sample.dbctl.ok("query", "--write", "--explain", "--analyze", UPDATE)
    assert ages(sample) == [None, 16, 48, None, None]


def test_what_fails_is_told_by_its_place(sample: Sample) -> None:
    result = sample.dbctl("query", "SELECT 1 AS a;\nSELECT name,\n  nope FROM hero")
    assert result.code == 1
    assert result.talk.startswith("dbctl: error: the query, line 3, column 3: "), str(result)
    (sample.dbctl.cwd / "q.sql").write_text("SELECT name\nFORM hero;")
    result = sample.dbctl("query", "-f", "q.sql")
    assert result.talk.startswith("dbctl: error: q.sql, line 2, column "), str(result)
    assert sample.dbctl.ok("query", "-", stdin="SELECT 1 AS a;\n").out == "a\n1\n"


def test_a_pipe_is_read_as_a_file_is_and_a_directory_is_none(sample: Sample) -> None:
    assert sample.dbctl.ok("query", "-f", "/dev/stdin", stdin="SELECT 1 AS a;\n").out == "a\n1\n"
    assert sample.dbctl.ok("run", "/dev/stdin", stdin="SELECT 1 AS a;\n").code == 0
    result = sample.dbctl("query", "-f", ".")
    assert (result.code, result.talk) == (3, "dbctl: error: .: can't be read: Is a directory\n")


def test_what_needs_no_transaction_is_told_how(sample: Sample) -> None:
    if sample.database.dialect == "mysql":
        pytest.skip("nothing has to be run without a transaction")
    result = sample.dbctl("query", "--write", "VACUUM")
    assert result.code == 1
    assert "; run it as a script without a transaction with: dbctl run FILE --no-transaction" in result.err


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["SELECT 1", "-f", "x.sql"],
        ["-f", "x.sql"],
        ["SELECT 1", "--dry-run"],
        ["SELECT 1", "--expect-none", "--expect-rows", "1"],
        ["SELECT 1", "--single", "--expect-none"],
        [" ; -- nothing"],
        ["\\d hero"],
    ],
)
def test_what_does_not_fit_is_a_usage_error(sample: Sample, said: list[str]) -> None:
    result = sample.dbctl("query", *said)
    assert (result.code, result.out) == (2, ""), str(result)


def test_notices_and_warnings_go_to_stderr(sample: Sample) -> None:
    match sample.database.kind:
        case "sqlite":
            pytest.skip("SQLite says nothing beside the rows")
        case "postgresql":
            result = sample.dbctl.ok("query", "DO $$BEGIN RAISE WARNING 'look %', 7; END$$; SELECT 1 AS a")
            assert (result.out, result.talk) == ("a\n1\n", "dbctl: WARNING: look 7\n")
        case _:
            result = sample.dbctl.ok("query", "SELECT CAST('7x' AS SIGNED) AS a")
            assert (result.out, result.talk.startswith("dbctl: WARNING: Truncated incorrect")) == ("a\n7\n", True)


@pytest.mark.parametrize("sample_database", ["postgresql"], indirect=True)
def test_comments_nest_where_the_databases_do(sample: Sample) -> None:
    line = "/* one /* another; */ ; */ SELECT 1 AS a; SELECT '/*' AS b /* and /* ; */ */"
    found = sample.dbctl.ok("query", line, "--json").json
    assert [one["rows"] for one in found] == [[{"a": 1}], [{"b": "/*"}]]


def test_what_warns_of_nothing_is_a_note_which_quiet_leaves_out(sample: Sample) -> None:
    if sample.database.kind == "sqlite":
        pytest.skip("SQLite says nothing beside the rows")
    line = ("query", "--write", "DROP TABLE IF EXISTS nothing_of_the_kind", "--confirm", sample.database.profile)
    said = sample.dbctl.ok(*line, "--log", "json").err
    assert [one["event"] for one in map(json.loads, said.splitlines()) if "nothing_of" in one["message"]] == ["note"]
    assert "nothing_of" not in sample.dbctl.ok(*line, "--quiet").err


def test_ctrl_c_ends_it_at_the_server(sample: Sample) -> None:
    with sample.dbctl.popen("query", ENDLESS[sample.database.kind]) as process:
        time.sleep(1.5)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 130
        assert time.monotonic() - began < 2
    assert running(sample) == 0


def test_a_reader_that_leaves_ends_it(sample: Sample) -> None:
    process = sample.dbctl.popen("query", numbers(sample, 900_000 if sample.database.kind == "mysql" else 50_000_000))
    assert process.stdout is not None
    assert process.stdout.readline() == "n\n"
    began = time.monotonic()
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - began < 12  # of which most is the machine's own


def test_what_is_counted_in_no_rows_is_named(sample: Sample) -> None:
    result = sample.dbctl.ok("query", "--write", f"CREATE TEMPORARY TABLE other (id INT); {UPDATE}", "-o", "json")
    assert "dbctl: 3 rows changed, and what CREATE did, which is not counted in rows\n" in result.err
    assert [one["changed"] for one in result.json] == [None, 3]


# --- a protected profile ----------------------------------------------------------------------------------------------


@pytest.fixture
def protected(dbctl: Dbctl) -> Dbctl:
    (dbctl.cwd / "profiles.toml").write_text(
        'default = "prod"\n[profiles.prod]\nurl = "sqlite:///prod.db"\nprotected = true\n'
        '[profiles.away]\nurl = "postgresql://app@127.0.0.1:1/db"\nprotected = true\n'
    )
    dbctl.ok("init-tables", "--confirm=prod")
    dbctl.ok("query", "--write", "INSERT INTO team (name) VALUES ('A'), ('B')", "--confirm=prod")
    return dbctl


DELETE = "DELETE FROM team"


def teams(dbctl: Dbctl) -> str:
    return dbctl.ok("query", "--single", "SELECT count(*) FROM team").out.strip()


def test_reading_a_protected_profile_asks_nothing(protected: Dbctl) -> None:
    assert teams(protected) == "2"
    protected.ok("query", "--write", "--dry-run", DELETE)


def test_without_a_terminal_nothing_is_connected_to(protected: Dbctl) -> None:
    result = protected("-p", "away", "query", "--write", DELETE)
    assert (result.code, result.out) == (8, "")
    assert "nothing was connected to; say --confirm=away" in result.err
    assert protected("query", "--write", DELETE, "--confirm=away").code == 8


@pytest.mark.parametrize(("typed", "code"), [("prod\r", 0), ("yes\r", 8), ("\x04", 8), ("\x03", 130)])
def test_it_is_asked_with_the_number_of_rows_before_the_commit(protected: Dbctl, typed: str, code: int) -> None:
    result = protected.tty("query", "--write", DELETE, keys=[("to go on: ", typed)], columns=160)
    assert result.code == code, str(result)
    asked = (
        "2 rows changed in prod.db, and not committed; what it locks stays locked meanwhile. Type its profile's name"
    )
    assert asked in result.plain
    assert ("; nothing is changed; say" in result.plain) is (code == 8)
    assert teams(protected) == ("0" if code == 0 else "2")


def test_nobody_is_asked_when_it_fails(protected: Dbctl) -> None:
    result = protected.tty("query", "--write", DELETE, "--expect-rows", "1", columns=160)
    assert (result.code, "to go on" in result.plain) == (6, False)
    assert teams(protected) == "2"
