"""Profiles that are rows: of a query on another profile, or of what a program writes."""

import json
import os
import signal
import socket
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dbctl as library
from tests.faults.killing import until
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

FILE = """
[defaults]
application_name = "fleet"

[profiles.main]
url = "sqlite:///main.db"

[profiles.base]
statement_timeout = 7
tags = ["tenant"]
{template}
[fleet.tenants]
from = "main"
query = "SELECT * FROM tenants WHERE name LIKE '%'"
template = "base"
"""


def tenants(dbctl: Dbctl, *rows: tuple[str, ...], columns: str = "name, url", template: str = "") -> None:
    (dbctl.cwd / "profiles.toml").write_text(FILE.format(template=template), encoding="utf-8")
    (dbctl.cwd / "main.db").unlink(missing_ok=True)
    with sqlite3.connect(dbctl.cwd / "main.db") as connection:
        connection.execute(f"CREATE TABLE tenants ({columns})")
        for row in rows:
            connection.execute(f"INSERT INTO tenants VALUES ({', '.join('?' * len(row))})", row)
    connection.close()


def written(dbctl: Dbctl, text: str) -> None:
    """Have a program write the rows."""
    (dbctl.cwd / "rows.json").write_text(text, encoding="utf-8")
    command = json.dumps([sys.executable, "-c", "print(open('rows.json').read(), end='')"])
    (dbctl.cwd / "profiles.toml").write_text(f"[fleet.made]\ncommand = {command}\n", encoding="utf-8")


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def rows(dbctl: Dbctl) -> Dbctl:
    """Two tenants with the sample's tables."""
    tenants(dbctl, ("acme", "sqlite:///acme.db"), ("bolt", "sqlite:///bolt.db"))
    dbctl.ok("-p", "tenants/*", "init-tables", "--quiet")
    return dbctl


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (["-p", "tenants/*"], ["tenants/acme", "tenants/bolt"]),
        (["-p", "*/b*", "-p", "tenants/acme"], ["tenants/bolt", "tenants/acme"]),
        (["--tag", "tenant"], ["tenants/acme", "tenants/bolt"]),
        (["-p", "tenants/bolt"], None),
    ],
)
def test_rows_are_named_as_profiles_are(rows: Dbctl, said: list[str], names: list[str] | None) -> None:
    found = rows.ok(
        *said, *(["--jobs", "1"] if names else []), "query", "SELECT count(*) AS heroes FROM hero", "--json"
    ).json
    assert found == ([{"heroes": 0}] if names is None else [{"profile": name, "heroes": 0} for name in names])


def test_all_are_those_of_the_file_and_of_its_fleets_but_no_template(rows: Dbctl) -> None:
    assert [row["profile"] for row in rows.ok("ping", "--all", "--json").json] == [
        "main", "tenants/acme", "tenants/bolt",
    ]  # fmt: skip
    assert rows.ok("--all", "query", "SELECT 1 AS n", "-o", "csv").out.count("\n") == 4
    assert len(rows.ok("profiles", "check", "--connect", "--json").json) == 3
    assert rows("-p", "b*", "ping").code == 3


def test_a_row_is_laid_over_its_template_and_the_defaults(rows: Dbctl) -> None:
    found = {row["key"]: row for row in rows.ok("profiles", "show", "tenants/acme", "--json").json}
    assert found["database"] == {
        "key": "database", "value": "acme.db", "origin": "profiles.toml [fleet.tenants] acme",
    }  # fmt: skip
    assert (found["statement_timeout"]["value"], found["application_name"]["value"]) == (7, "fleet")


def test_they_are_listed_without_connecting_unless_that_is_said(rows: Dbctl) -> None:
    listed = {row["name"]: row for row in rows.ok("profiles", "list", "--json").json}
    assert listed["tenants/*"]["origin"] == "profiles.toml [fleet.tenants]: a query on main"
    assert (listed["base"]["error"], listed["tenants/*"]["url"]) == (None, None)
    listed = {row["name"]: row for row in rows.ok("profiles", "list", "--rows", "--json").json}
    assert listed["tenants/acme"]["url"] == "sqlite:///acme.db"
    assert "tenants/*" not in listed


def test_a_default_that_is_a_row_is_listed_without_connecting(rows: Dbctl) -> None:
    file = rows.cwd / "profiles.toml"
    file.write_text('default = "tenants/bolt"\n' + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert rows.ok("query", "SELECT 7 AS n", "--single").out == "7\n"
    (rows.cwd / "main.db").rename(rows.cwd / "elsewhere.db")
    listed = {row["name"]: row["default"] for row in rows.ok("profiles", "list", "--json").json}
    assert listed["tenants/bolt"] is True
    result = rows("profiles", "list", "--rows")
    assert (result.code, "[fleet.tenants]: profile main: there is no database file" in result.err) == (4, True), str(
        result
    )


def test_a_default_is_one_row_and_no_other_row_is_offered_for_it(rows: Dbctl) -> None:
    rows.ok("profiles", "default", "tenants/bolt", "--quiet")
    assert rows.ok("query", "SELECT 7 AS n", "--single").out == "7\n"
    assert "did you mean" not in rows("-p", "tenants/belt-2", "ping").err
    assert 'did you mean "tenants/bolt"?' in rows("-p", "tenants/Bold", "ping").err
    file = rows.cwd / "profiles.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('"tenants/bolt"', '"tenants/*"'), encoding="utf-8")
    assert 'default = "tenants/*": there is no such profile' in rows("ping").err


def test_a_program_is_beside_the_file_and_one_that_fails_hides_no_other(rows: Dbctl) -> None:
    (rows.cwd / "far").mkdir()
    (rows.cwd / "list").write_text("""#!/bin/sh\necho '{"name": "a", "url": "sqlite://"}'\n""", encoding="utf-8")
    (rows.cwd / "list").chmod(0o755)
    with (rows.cwd / "profiles.toml").open("a", encoding="utf-8") as file:
        file.write('[fleet.bad]\ncommand = ["false"]\n[fleet.made]\ncommand = ["./list"]\n')
    result = replace(rows, cwd=rows.cwd / "far")("-c", "../profiles.toml", "profiles", "list", "--rows", "-o", "jsonl")
    listed = {row["name"]: row["error"] for row in map(json.loads, result.out.splitlines())}
    assert (result.code, listed["made/a"], listed["tenants/acme"]) == (3, None, None), str(result)
    assert "failed with exit code 1" in listed["bad/*"]


def test_a_variable_may_name_a_row_or_a_pattern(rows: Dbctl) -> None:
    for name, count in (("tenants/acme", 1), ("tenants/*", 2)):
        result = rows.ok("query", "SELECT 1 AS n", "--json", env={"DBCTL_PROFILE": name})
        assert len(result.json) == count
    assert rows.ok("ping", "-o", "csv", env={"DBCTL_PROFILE": "*/acme"}).out.splitlines()[1].startswith("tenants/acme,")
    assert rows("shell", env={"DBCTL_PROFILE": "tenants/*"}).code == 2
    rows.ok("profiles", "set", "base", "workers=2", env={"DBCTL_PROFILE": "tenants/*"})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"name": "", "url": "sqlite://"}, "there is no name"),
        ({"name": None, "url": "sqlite://"}, "there is no name"),
        ({"name": "a b", "url": "sqlite://"}, "name 'a b': allowed is"),
        ({"name": "../x", "url": "sqlite://"}, "allowed is"),
        ({"name": "a*", "url": "sqlite://"}, "allowed is"),
        ({"name": "-x", "url": "sqlite://"}, "allowed is"),
        ({"url": "sqlite://geheim"}, 'there is no column "name"; it has url'),
        ({"name": "x", "user": "geheim"}, "x: no url, and no driver: the row has name, user; select one, or say it in"),
        ({"name": "x", "urll": "sqlite://geheim"}, 'column "urll": no key of a profile; did you mean "url"?'),
        ({"name": "x", "url": "sqlite://", "password_command": ["sh", "geheim"]}, "a row names nothing to run"),
        ({"name": "x", "url": "sqlite://", "tunnel": {"ssh": "-oProxyCommand=geheim"}}, "a row names nothing to run"),
        (
            {"name": "x", "url": "sqlite://", "password_env": "geheim"},
            '(x): column "password_env": a row reads no secret',
        ),
        ({"name": "x", "url": "sqlite://", "password_file": "geheim"}, '(x): column "password_file": a row'),
        ({"name": "x", "url": "sqlite://", "password_keyring": "geheim"}, "a row reads no secret"),
        ({"name": "x", "url": "sqlite://", "ssl": {"mode": "disable"}}, 'column "ssl.mode": a row says nothing of TLS'),
        ({"name": "x", "url": "sqlite://", "environment": "testing"}, 'column "environment": a row takes away nothing'),
        ({"name": "x", "url": "postgresql://h/d?sslmode=disable"}, 'x: column "url": a row may not say sslmode'),
        ({"name": "x", "url": "postgresql://h/d?options=x&service=geheim"}, "a row may not say service"),
        ({"name": "x", "url": "mysql://h/d?read_default_file=geheim"}, "a row may not say read_default_file"),
        ({"name": "x", "url": "mysql://h/d?ssl_verify_cert=false"}, "a row may not say ssl_verify_cert"),
        ({"name": "x", "url": "cockroachdb://h/d?gssdelegation=1"}, "a row may not say gssdelegation"),
        (
            {"name": "x", "driver": "mysql", "host": "h", "query.local_infile": 1},
            'column "query.local_infile": a row may',
        ),
        ({"name": "x", "url": "postgresql://u:geheim@h:p/d"}, "url: not a database URL"),
        ({"name": "x", "driver": "sqlite", "port": "much"}, 'x: port = "much": allowed is'),
    ],
)
def test_a_row_that_is_no_profile_is_one_clear_line(row: dict[str, Any], said: str, dbctl: Dbctl) -> None:
    written(dbctl, json.dumps([{"name": "ok", "url": "sqlite:///ok.db"}, row]))
    result = dbctl("-p", "made/*", "init-tables")
    assert (result.code, result.out, len(result.err.splitlines())) == (3, "", 1), str(result)
    assert "geheim" not in result.err
    assert result.err.startswith("dbctl: error: profiles.toml [fleet.made]"), result.err
    assert said in result.err
    assert not (dbctl.cwd / "ok.db").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "gives no row"),
        ("[]", "gives no row"),
        ('[{"name": "x", "url": "pos', "is not JSON: line 1"),
        ('{"name": "x"}\n{"name" "geheim"}\n', "is not JSON: line 2, column 9"),
        ("[3]", "the one at 1 is none"),
        ('[{"name": "x"}, {"name": "x"}]', "two rows have the name made/x"),
        ("[" * 200_000, "it is nested too deeply"),
        ('[{"name": "x", "tags": [[[["geheim"]]]]}]', "the one at 1 is nested deeper"),
        ('\n{"name": "x", "port": ' + "7" * 5_000 + "}", "line 2 has a number with too many digits"),
        ('{"name": "x", "user": "\\ud800"}', "the object at 1 has one half"),
        ('{"name": "x", "user": "geheim", "user": "y"}', 'line 1 has an object with the key "user" twice'),
    ],
)
def test_what_a_program_writes_is_checked(text: str, said: str, dbctl: Dbctl) -> None:
    written(dbctl, text)
    result = dbctl("-p", "made/*", "ping")
    assert (result.code, len(result.err.splitlines())) == (3, 1), str(result)
    assert said in result.err
    assert "geheim" not in result.err


def test_empty_lines_are_none(dbctl: Dbctl) -> None:
    written(dbctl, '\n{"name": "x", "url": "sqlite://"}\r\n\n{"name": "y", "url": "sqlite://"}\n\n')
    assert [row["profile"] for row in dbctl.ok("-p", "made/*", "ping", "--json").json] == ["made/x", "made/y"]


def test_what_only_a_backend_refuses_is_looked_at_before_any_is_connected_to(dbctl: Dbctl) -> None:
    ok = ("a", "sqlite:///a.db")
    for url in ("oracle://h/x", "mysql://h/d?charset=zzz", "sqlite://h/x", "sqlite:///b.db?mode=ro"):
        tenants(dbctl, ok, ("b", url))
        result = dbctl("-p", "tenants/*", "init-tables")
        assert (result.code, result.out, len(result.err.splitlines())) == (3, "", 1), str(result)
        assert not (dbctl.cwd / "a.db").exists()


def test_a_program_is_ended_with_all_that_it_has_started(dbctl: Dbctl) -> None:
    command = json.dumps(["sh", "-c", "sleep 61 & echo $! > child; wait"])
    (dbctl.cwd / "profiles.toml").write_text(f"[fleet.s]\ncommand = {command}\n", encoding="utf-8")
    child = dbctl.cwd / "child"
    for names, sent in (("s/*", signal.SIGTERM), ("s/a", signal.SIGTERM), ("s/*", signal.SIGINT)):
        child.unlink(missing_ok=True)
        process = dbctl.spawn("-p", names, "heroes", "list")
        until(lambda: child.exists() and child.read_text().endswith("\n"), "the program has started another")
        process.send_signal(sent)
        process.communicate(timeout=30)
        assert process.returncode == 128 + sent
        until(lambda: has_ended(int(child.read_text())), "it has ended")


def test_what_a_program_leaves_running_is_not_waited_for(dbctl: Dbctl) -> None:
    command = json.dumps(["sh", "-c", """sleep 61 & echo $! > child; echo '{"name": "a", "url": "sqlite://"}'"""])
    (dbctl.cwd / "profiles.toml").write_text(f"[fleet.s]\ncommand = {command}\n", encoding="utf-8")
    dbctl.ok("-p", "s/*", "ping", timeout=50)
    os.kill(int((dbctl.cwd / "child").read_text()), signal.SIGKILL)


def test_a_source_that_fails_is_one_clear_line(rows: Dbctl) -> None:
    def said(fleet: str, *more: str) -> tuple[int, str]:
        file = f'[profiles.main]\nurl = "sqlite:///main.db"\n[profiles.gone]\nurl = "sqlite:///gone.db"\n{fleet}\n'
        (rows.cwd / "profiles.toml").write_text(file, encoding="utf-8")
        result = rows("-p", "t/*", "ping", *more)
        assert (result.out, len(result.err.splitlines())) == ("", 1), str(result)
        assert "[fleet.t]" in result.err or "fleet.t:" in result.err
        return result.code, result.err

    def queried(query: str, of: str = "main") -> tuple[int, str]:
        return said(f'[fleet.t]\nfrom = "{of}"\nquery = """{query}"""')

    assert queried("SELECT * FROM nobody")[0] == 3
    assert queried("SELECT 1", "gone")[0] == 4
    assert queried("INSERT INTO tenants VALUES ('x', 'y') RETURNING name, url")[0] == 3
    assert queried("SELECT name, name FROM tenants")[1].count("a column twice: name") == 1
    assert "exit code 3: why" in said("[fleet.t]\ncommand = ['sh', '-c', 'echo why >&2; exit 3']")[1]
    assert "can't run" in said("[fleet.t]\ncommand = ['/nowhere']")[1]
    wrong = ["from = 'main'", "from = 'x'\nquery = 'y'", "command = 3", "command = []", "commnd = ['x']"]
    assert {said(f"[fleet.t]\n{keys}")[0] for keys in [*wrong, "template = 'no'"]} == {3}
    assert sqlite3.connect(rows.cwd / "main.db").execute("SELECT count(*) FROM tenants").fetchone() == (2,)


def test_what_the_template_protects_no_row_makes_free(dbctl: Dbctl) -> None:
    columns, own = "name, url, protected", [("a", "sqlite:///a.db", 0), ("b", "sqlite:///b.db", 1)]
    tenants(dbctl, *own, columns=columns)  # type: ignore[arg-type]
    line = ("-p", "tenants/*", "init-tables", "--quiet")
    result = dbctl(*line)
    assert (result.code, "tenants/b" in result.err) == (8, True), str(result)
    assert not (dbctl.cwd / "a.db").exists()
    dbctl.ok(*line, "--confirm", "tenants/b")
    tenants(dbctl, *own, columns=columns, template="protected = true")  # type: ignore[arg-type]
    assert "tenants/a, tenants/b are protected" in dbctl(*line).err
    tenants(dbctl, ("a", "sqlite:///a.db"), template='environment = "testing"\nprotected = true')
    assert dbctl(*line).code == 8
    dbctl.ok(*line, "--confirm", "tenants/*")


def test_keys_of_all_kinds_are_columns(dbctl: Dbctl) -> None:
    row = {
        "name": 7, "driver": "postgresql", "host": "${HOME}", "port": "5433", "database": 8, "password": "geheim",
        "tags": "gold, web", "pool": {"size": "3"}, "ssl.mode": None, "query": {"options": "-csearch_path=t7"},
        "user": None,
    }  # fmt: skip
    written(dbctl, json.dumps(row))
    with (dbctl.cwd / "profiles.toml").open("a", encoding="utf-8") as file:
        file.write('template = "base"\n[profiles.base]\nenvironment = "production"\nssl = { mode = "require" }\n')
    result = dbctl.ok("profiles", "show", "made/7", "--json")
    found = {each["key"]: each["value"] for each in result.json}
    assert found["url"] == "postgresql://:********@%24%7BHOME%7D:5433/8?options=-csearch_path%3Dt7"
    assert (found["tags"], found["pool.size"], found["ssl.mode"]) == (["gold", "web"], 3, "require")
    assert (found["protected"], found["pool.max_overflow"]) == (True, 10)
    assert "geheim" not in str(result)


def test_a_function_of_a_service_is_found_where_its_modules_are(dbctl: Dbctl) -> None:
    tenants(dbctl, ("a", "sqlite:///a.db"), ("b", "sqlite:///b.db"), template='app_dir = "src"')
    (dbctl.cwd / "src").mkdir()
    (dbctl.cwd / "src" / "own.py").write_text("def seven() -> int:\n    return 7\n", encoding="utf-8")
    for said in (["-p", "tenants/*"], ["-p", "tenants/b"], ["--tag", "tenant", "--app-dir", "src"]):
        assert dbctl.ok(*said[:2], "run", *said[2:], "own:seven", "-o", "csv").out.count("7\n") in {1, 2}


def test_a_file_may_have_nothing_but_rows(dbctl: Dbctl) -> None:
    written(dbctl, '{"name": "a", "url": "sqlite:///a.db"}')
    dbctl.ok("--all", "init-tables", "--quiet")
    assert dbctl.ok("ping", "--all", "--json").json[0]["profile"] == "made/a"
    assert dbctl.ok("profiles", "check", "--json").json == []
    assert [row["profile"] for row in dbctl.ok("profiles", "check", "--connect", "--json").json] == ["made/a"]
    result = dbctl("heroes", "list")
    assert (result.code, "there are made/*; name one" in result.err) == (3, True), str(result)
    assert [row["default"] for row in dbctl.ok("profiles", "list", "--json").json] == [False, False, False]


def test_a_source_is_asked_once_a_run(dbctl: Dbctl) -> None:
    command = json.dumps(["sh", "-c", 'echo x >> asked; echo \'{"name": "a", "url": "sqlite:///a.db"}\''])
    (dbctl.cwd / "profiles.toml").write_text(f"[fleet.made]\ncommand = {command}\n", encoding="utf-8")
    asked = dbctl.cwd / "asked"
    for line in (["--all", "init-tables"], ["-p", "made/a", "heroes", "list"], ["profiles", "list", "--rows"]):
        asked.unlink(missing_ok=True)
        dbctl.ok(*line)
        assert asked.read_text() == "x\n"
    asked.unlink()
    dbctl.ok("-p", "made/a", "profiles", "list")
    assert not asked.exists()


def test_a_signal_is_heard_while_a_source_is_asked(dbctl: Dbctl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (dbctl.cwd / "profiles.toml").write_text(
            f'[profiles.main]\nurl = "postgresql://x@127.0.0.1:{port}/x"\nconnect_timeout = 60\n'
            '[fleet.t]\nfrom = "main"\nquery = "SELECT 1"\n[fleet.s]\ncommand = ["sleep", "60"]\n',
            encoding="utf-8",
        )
        for name in ("t/*", "s/*"):
            process = dbctl.spawn("-p", name, "heroes", "list")
            time.sleep(1.5)
            process.send_signal(2)
            began = time.monotonic()
            _, err = process.communicate(timeout=20)
            assert (process.returncode, time.monotonic() - began < 5) == (130, True), err


def test_the_library_knows_them(rows: Dbctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(rows.cwd)
    assert library.profile("tenants/acme").statement_timeout == 7
    with library.session("tenants/bolt") as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM hero").scalar() == 0
    library.dispose()
    with pytest.raises(library.DbctlError, match="has no such row"):
        library.profile("tenants/nobody")


def test_what_is_advised_helps(rows: Dbctl) -> None:
    """A hint is not about the profiles that were named where those are not what has failed."""
    assert 'profile "base" is the template of profiles.toml [fleet.tenants]' in rows("-p", "base", "ping").err
    (rows.cwd / "acme.db").write_text("This is a text, and no database at all. " * 20, encoding="utf-8")
    result = rows("-p", "tenants/acme", "tables")
    assert (result.code, "not a database" in result.err, "create" in result.err) == (4, True, False), str(result)
    (rows.cwd / "acme.db").unlink()
    line = ("-p", "tenants/*", "fleet", "drift", "--reference", "tenants/acme")
    assert "init-tables" not in rows(*line).err
    (rows.cwd / "main.db").unlink()
    result = rows("-p", "tenants/*", "ping")
    assert ("there is no database file" in result.err, "init-tables" in result.err) == (True, False), result.err
    with sqlite3.connect(rows.cwd / "main.db"):
        pass
    result = rows("-p", "tenants/*", "ping")
    assert ("tenants" in result.err, "init-tables" in result.err) == (True, False), result.err


def test_many_are_named_as_they_were_and_as_a_few(dbctl: Dbctl) -> None:
    tenants(dbctl, *((f"r{number}", "postgresql://x@127.0.0.1:1/x") for number in range(20)))
    result = dbctl("-p", "tenants/r*", "-p", "tenants/r1", "ping", "--metrics", "job.prom")
    assert (result.code, "tenants/r9 and 10 more" in result.err) == (4, True), str(result)
    assert 'profile="tenants/r*,tenants/r1"' in (dbctl.cwd / "job.prom").read_text(encoding="utf-8")
    result = dbctl("-p", "tenants/r*", "fleet", "drift")
    assert "tenants/r0, tenants/r1, tenants/r2 and 17 more can't be looked at (exit code 4)" in result.err


@pytest.mark.parametrize("server_database", ["postgresql", "mysql"], indirect=True)
def test_tenants_are_rows_of_a_server(server_database: TestDatabase, dbctl: Dbctl) -> None:
    """The place, TLS and the password are the template's, and the database is the row's; nothing can be written."""
    server, name = server_database.server, server_database.profile
    assert server
    other = f"{server_database.name}_b"
    server_database.execute("CREATE TABLE tenants (name VARCHAR(20), dbname VARCHAR(80), prot BOOLEAN)")
    server_database.execute(
        "INSERT INTO tenants VALUES (?, ?, true), (?, ?, NULL)", "a", server_database.name, "b", other
    )
    query = "SELECT name, dbname AS {q}database{q}, prot AS protected, 'x%y' AS tags FROM tenants ORDER BY name"
    quote = "`" if server_database.dialect == "mysql" else ""
    fleet = f'[fleet.t]\nfrom = "{name}"\nquery = """{query.format(q=quote)}"""\ntemplate = "{name}"\n'
    write = f'[fleet.w]\nfrom = "{name}"\nquery = "DELETE FROM tenants"\n'
    file = dbctl.cwd / "profiles.toml"
    file.write_text(f"{server_database.toml}\n{fleet}", encoding="utf-8")
    run = Forked(cwd=dbctl.cwd, home=dbctl.home, env={**server_database.env})
    server.create_database(other)
    try:
        found = run.ok("--tag", "x%y", "ping", "--json").json
        assert [(row["profile"], row["database"]) for row in found] == [("t/a", server_database.name), ("t/b", other)]
        assert all(row["encrypted"] for row in found)
        assert run("-p", "t/*", "init-tables").code == 8
        file.write_text(f"{server_database.toml}\n{write}", encoding="utf-8")
        assert run("-p", "w/*", "ping").code == 3
        assert server_database.execute("SELECT count(*) FROM tenants") == [(2,)]
    finally:
        server.drop_database(other)
