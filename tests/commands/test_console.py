"""`dbctl console` with code to run: one session, rolled back unless committed, on every database."""

import pytest

from tests.faults.watching import within
from tests.harness.forked import Forked
from tests.services.running import Service, fleet_database, lite, service

__all__ = ["fleet_database", "lite", "service"]

ADD = "session.add(Ship(name='Argo', tons=7))"
DRIVERS = pytest.mark.parametrize(("option", "word"), [((), ""), (("--async",), "await ")], ids=["sync", "async"])


@DRIVERS
def test_what_is_not_committed_is_rolled_back_and_told(lite: Service, option: tuple[str, ...], word: str) -> None:
    result = lite.dbctl.ok("console", *option, "-c", f"{ADD}; {word}session.flush()")
    assert result.talk.endswith("dbctl: rolled back at the end: 1 new Ship; commit() would have kept it\n")
    assert lite.ships == set()


@DRIVERS
@pytest.mark.parametrize("how", ["commit()", "session.commit()"])
def test_what_is_committed_stays_and_is_told_after_it(
    lite: Service, option: tuple[str, ...], word: str, how: str
) -> None:
    result = lite.dbctl.ok("console", *option, "-c", f"{ADD}; {word}{how}")
    assert result.talk.endswith("dbctl: committed: 1 new Ship\n")
    assert lite.ships == {"Argo"}


@DRIVERS
def test_only_what_comes_after_a_commit_is_rolled_back(service: Service, option: tuple[str, ...], word: str) -> None:
    script = f"{ADD}\n{word}commit()\nsession.add(Ship(name='Zephyr'))\n"
    result = service.dbctl.ok("console", *option, stdin=script)
    assert result.talk.endswith(
        "dbctl: committed: 1 new Ship\ndbctl: rolled back at the end: 1 new Ship; commit() would have kept it\n"
    )
    assert service.ships == {"Argo"}


@DRIVERS
def test_the_value_of_the_last_line_is_shown_in_the_format_asked_for(
    lite: Service, option: tuple[str, ...], word: str
) -> None:
    code = f"{ADD}; {word}session.flush(); ({word}session.exec(select(Ship))).all()"
    (row,) = lite.dbctl.ok("console", *option, "-c", code, "--json").json
    assert (row["name"], row["tons"]) == ("Argo", 7)
    table = lite.dbctl.ok(
        "console", *option, "-c", f"{word}session.exec(select(Ship.id, Ship.name))", "--output", "table"
    )
    assert table.out == "id   name\n─────────\n"
    assert lite.dbctl.ok("console", *option, "-c", f"{word}session.exec(select(Ship))").err.endswith("no rows\n")


@DRIVERS
def test_a_model_whose_values_a_commit_or_a_rollback_has_emptied_is_shown_whole(
    lite: Service, option: tuple[str, ...], word: str
) -> None:
    script = f"{ADD}\n{word}commit()\nship = ({word}session.exec(select(Ship))).one()\n{word}rollback()\nship\n"
    assert lite.dbctl.ok("console", *option, "--json", stdin=script).json["name"] == "Argo"


@DRIVERS
def test_what_the_database_refuses_is_one_line_with_its_exit_code(
    service: Service, option: tuple[str, ...], word: str
) -> None:
    result = service.dbctl("console", *option, "-q", stdin=f"{ADD}\n{word}session.flush()\n{ADD}\n{word}commit()\n")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("dbctl: error: ")
    assert result.err.count("\n") == 1
    assert "(stdin, line 4)" in result.err
    assert service.ships == set()


@DRIVERS
def test_after_a_failed_statement_the_session_is_usable_again(
    service: Service, option: tuple[str, ...], word: str
) -> None:
    script = (
        "from sqlalchemy import text\n"
        f"try:\n    {word}session.exec(text('SELECT nope FROM ship'))\nexcept Exception:\n    {word}rollback()\n"
        f"{ADD}\n{word}commit()\n"
    )
    service.dbctl.ok("console", *option, stdin=script)
    assert service.ships == {"Argo"}


def test_a_doomed_transaction_is_not_committed(service: Service) -> None:
    script = (
        f"from sqlalchemy import text\n{ADD}\nsession.flush()\n"
        "try:\n    session.exec(text('SELECT nope FROM ship'))\nexcept Exception:\n    pass\ncommit()\n"
    )
    result = service.dbctl("console", stdin=script)
    kept = service.ships
    assert kept == (set() if result.code else {"Argo"}), str(result)
    assert ("committed: 1 new Ship" in result.err) == (result.code == 0)


@DRIVERS
def test_read_only_is_the_databases_word(service: Service, option: tuple[str, ...], word: str) -> None:
    result = service.dbctl("console", "--read-only", *option, "-c", f"{ADD}; {word}commit()")
    assert result.code == 1, str(result)
    assert "dbctl: error: " in result.err
    service.dbctl.ok("console", "--read-only", *option, "-c", f"{word}session.exec(select(Ship))")
    assert service.ships == set()


def test_read_only_holds_for_the_engine_and_after_a_commit_past_the_session(service: Service) -> None:
    by_engine = (
        "from sqlalchemy import text\n"
        "with engine.begin() as connection:\n"
        "    connection.execute(text(\"INSERT INTO ship (name, tons) VALUES ('a', 1)\"))\n"
    )
    assert service.dbctl("console", "--read-only", stdin=by_engine).code == 1
    past = "from sqlalchemy import text; session.exec(text('COMMIT'))"
    result = service.dbctl("console", "--read-only", "-c", past)
    assert (result.code, "COMMIT would end the transaction that is read-only" in result.err) == (1, True), str(result)
    assert service.ships == set()


def test_statements_and_objects_are_counted_and_a_savepoint_takes_its_own_back(lite: Service) -> None:
    script = (
        "from sqlalchemy import text, update\n"
        f"{ADD}\nsession.flush()\n"
        "session.exec(update(Ship).values(tons=8))\n"
        "session.exec(text('DELETE FROM ship WHERE tons = 0'))\n"
        "with session.begin_nested() as savepoint:\n"
        "    session.add(Ship(name='Zephyr'))\n    session.flush()\n    savepoint.rollback()\n"
        "commit()\n"
        "ship = session.exec(select(Ship)).one()\nship.tons = 9\nsession.flush()\nsession.delete(ship)\n"
    )
    result = lite.dbctl.ok("console", stdin=script)
    assert "committed: 1 new Ship, 2 statements that wrote\n" in result.err
    assert "rolled back at the end: 1 deleted Ship; " in result.err


def test_ddl_that_commits_by_itself_is_told(service: Service) -> None:
    script = f"from sqlalchemy import text\n{ADD}\nsession.flush()\nsession.exec(text('CREATE TABLE raft (n INT)'))\n"
    try:
        result = service.dbctl.ok("console", stdin=script)
        if service.ships:
            assert "CREATE commits by itself: what was done until there stays, whatever comes after it" in result.err
            assert "rolled back" not in result.err
        else:
            assert "rolled back at the end: 1 new Ship, 1 statement that wrote" in result.err
    finally:
        service.database.execute("DROP TABLE IF EXISTS raft")


def protected(service: Service) -> Forked:
    file = service.dbctl.cwd / "profiles.toml"
    table = f"[profiles.{service.database.profile}]\n"
    text = file.read_text(encoding="utf-8")
    assert table in text
    file.write_text(text.replace(table, f"{table}protected = true\n"), encoding="utf-8")
    return service.dbctl


def test_a_protected_profile_is_read_only_and_asks_for_nothing(lite: Service) -> None:
    dbctl = protected(lite)
    assert dbctl("console", "-c", f"{ADD}; commit()").code == 1
    dbctl.ok("console", "-c", "session.exec(select(Ship))")
    assert lite.ships == set()


def test_to_write_to_a_protected_profile_has_to_be_confirmed(lite: Service) -> None:
    dbctl = protected(lite)
    result = dbctl("console", "--write", "-c", f"{ADD}; commit()")
    assert (result.code, "is protected; nothing was connected to" in result.err) == (8, True), str(result)
    dbctl.ok("console", "--write", "--confirm", lite.database.profile, "-c", f"{ADD}; commit()")
    assert lite.ships == {"Argo"}


def test_the_profiles_limits_hold(lite: Service) -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    code = f"from sqlalchemy import text; session.exec(text('{endless}'))"
    assert lite.dbctl("console", "--timeout", "0.3", "-c", code).code == 5


def test_it_is_run_under_a_lock(lite: Service) -> None:
    with lite.dbctl.popen("console", "--lock", "nightly", "--lock-wait", "20") as holder:
        assert holder.stdin
        second = ("console", "--lock", "nightly", "--lock-wait", "0", "-c", "1")
        assert within(20, lambda: lite.dbctl(*second).code == 7)
        holder.stdin.write(f"{ADD}\ncommit()\n")
        holder.stdin.close()
        assert holder.wait(20) == 0
    assert lite.ships == {"Argo"}
    lite.dbctl.ok(*second)


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("1 / 0", 1, 'Traceback (most recent call last):\n  File "<code>", line 1, in <module>\n    1 / 0\n'),
        ("1 /", 1, '  File "<code>", line 1\n    1 /\n'),
        ("exit(3)", 3, ""),
        ("exit()", 0, ""),
        ("import sys; sys.exit('no')", 1, "dbctl: error: no\n"),
        ("raise KeyboardInterrupt", 130, "dbctl: interrupted: what was not committed is rolled back\n"),
    ],
)
def test_pythons_own_errors_and_exits_are_pythons(lite: Service, code: str, exit_code: int, said: str) -> None:
    result = lite.dbctl("console", "-q", "-c", code)
    assert (result.code, result.out) == (exit_code, ""), str(result)
    assert result.err.startswith(said)
    assert "dbctl/console" not in result.err


def test_an_error_that_sqlalchemy_raises_ends_with_the_users_line(lite: Service) -> None:
    result = lite.dbctl("console", "-q", "-c", "Ship.name.nope")
    assert result.code == 1
    assert result.err.startswith('Traceback (most recent call last):\n  File "<code>", line 1, in <module>\n')
    assert "site-packages" not in result.err


def test_functions_of_a_script_see_its_names(lite: Service) -> None:
    script = "import json\ndef ships():\n    return json.dumps([s.name for s in session.exec(select(Ship))])\nships()\n"
    assert lite.dbctl.ok("console", stdin=script).out == "'[]'\n"
    assert lite.dbctl.ok("console", "-c", "-", stdin="1 + 1").out == "2\n"


def test_a_block_that_commits_at_its_end_tells_so_and_a_savepoint_does_not(lite: Service) -> None:
    script = f"with session.begin():\n    with session.begin_nested():\n        {ADD}\n"
    assert lite.dbctl.ok("console", stdin=script).talk.count("dbctl: committed: 1 new Ship\n") == 1
    assert lite.ships == {"Argo"}


def test_a_script_is_utf_8_whatever_the_locale(lite: Service) -> None:
    dbctl = lite.dbctl.with_env(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    script = lite.dbctl.cwd / "script.py"
    script.write_bytes("\ufeffprint(len('Ümlaut'))\n".encode())
    with script.open("rb") as file, dbctl.spawn("console", stdin=file) as process:
        assert process.communicate()[0] in {b"6\n", "6\n"}
    script.write_bytes(b"'\xff'\n")
    with script.open("rb") as file, dbctl.spawn("console", stdin=file) as process:
        said = process.communicate()[1]
    assert process.returncode == 2
    assert b"standard input is no script: invalid start byte at byte 1" in said


def test_data_is_never_taken_for_markup(lite: Service) -> None:
    code = "session.add(Ship(name='[red]\\x1b[31mx')); session.flush(); session.exec(select(Ship.name))"
    assert "[red]\\x1b[31mx" in lite.dbctl.ok("console", "--output", "table", "-c", code).out


def test_the_config_is_said_by_its_long_name_or_before(lite: Service) -> None:
    assert lite.dbctl.ok("-c", "profiles.toml", "console", "-c", "profile.name").out == "'lite'\n"
    assert lite.dbctl.ok("console", "--config", "profiles.toml", "-c", "profile.name").out == "'lite'\n"
    assert "--config FILE" in lite.dbctl.ok("help", "options").out


def test_no_password_is_shown(service: Service) -> None:
    for password in service.database.env.values():
        assert password not in service.dbctl.ok("console", "-c", "print(profile, engine, session)").out
