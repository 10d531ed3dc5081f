"""`dbctl create-database` and `dbctl drop-database`."""

import contextlib
import sqlite3

import pytest

from tests.databases.conftest import Place
from tests.harness.cli import Dbctl
from tests.servers.client import Connection
from tests.servers.pgbouncer import PgBouncer
from tests.servers.system import ServerMissing


def connected(place: Place) -> Connection:
    if place.server is None:
        connection = sqlite3.connect(place.dbctl.cwd / place.name)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()  # so that the file is open
        return connection
    return place.server.connect(database=place.name)


def refused(place: Place, code: int, *line: str) -> str:
    """Return what a command says that is to be refused."""
    result = place.dbctl(*line)
    assert (result.code, result.out) == (code, ""), str(result)
    return result.err


def test_it_is_created_once_and_dropped_once(place: Place) -> None:
    confirmed = ("drop-database", "--confirm", place.name)
    assert place.state("create-database") == "created"
    assert place.state("create-database") == "exists"
    place.dbctl.ok("ping")
    assert place.state(*confirmed) == "dropped"
    assert place.state(*confirmed) == "missing"
    assert place.dbctl("ping").code == 4


def test_its_name_is_asked_for_always(place: Place) -> None:
    place.dbctl.ok("create-database")
    for said in ((), ("--confirm", "admin"), ("--confirm", "")):
        result = place.dbctl("drop-database", *said)
        assert (result.code, result.out) == (8, ""), str(result)
        assert f"say --confirm={place.name}\n" in result.err
    result = place.dbctl.tty("drop-database", keys=[("to go on: ", "no\n")], columns=200)
    assert result.code == 8
    assert f"All data in {place.name} would be lost. Type {place.name} to go on: " in result.plain
    place.dbctl.ok("ping")
    assert place.dbctl.tty("drop-database", keys=[("to go on: ", f"{place.name}\n")]).code == 0


def test_of_a_protected_profile_the_profiles_name_is_said_too(place: Place) -> None:
    place.dbctl.ok("create-database")
    place.toml.write_text(place.toml.read_text() + "protected = true\n")
    assert place.dbctl("drop-database", "--confirm", place.name).code == 8
    assert place.dbctl("drop-database", "--confirm", "admin").code == 8
    assert place.state("drop-database", "--confirm", f"admin/{place.name}") == "dropped"


def test_it_is_not_dropped_while_others_are_connected(place: Place) -> None:
    place.dbctl.ok("create-database")
    with contextlib.closing(connected(place)):
        result = place.dbctl("drop-database", "--confirm", place.name)
        assert (result.code, result.out) == (1, ""), str(result)
        assert "others " in result.err
        place.dbctl.ok("ping")
        if place.server is None:
            assert "; end them first\n" in result.err
            assert place.dbctl("drop-database", "--confirm", place.name, "--force").code == 1
        else:
            assert "; end them with --force\n" in result.err
            assert place.state("drop-database", "--confirm", place.name, "--force") == "dropped"


def test_a_dry_run_creates_and_drops_nothing(place: Place) -> None:
    assert place.state("create-database", "--dry-run") == "created"
    assert place.state("drop-database", "--dry-run") == "missing"
    assert place.state("create-database") == "created"
    assert place.state("create-database", "--dry-run") == "exists"
    assert place.state("drop-database", "--dry-run") == "dropped"
    with contextlib.closing(connected(place)):
        assert "others " in refused(place, 1, "drop-database", "--dry-run")
    place.dbctl.ok("ping")


def test_a_name_that_no_database_can_have_is_refused(server_place: Place) -> None:
    """PostgreSQL would cut it off, and drop another."""
    place, longest = server_place, "x" * 63
    place.dbctl.ok("create-database")
    for name in ("", " "):
        for line in (("create-database", name), ("drop-database", name, "--confirm", name)):
            assert "the name is empty" in refused(place, 2, *line)
    code = 2 if place.kind == "postgresql" else 1
    with contextlib.ExitStack() as after:
        after.callback(place.at.drop_database, longest)
        place.dbctl.ok("create-database", longest)
        assert f"{longest}yy" in refused(place, code, "create-database", f"{longest}yy")
        if place.kind == "postgresql":
            assert "63 bytes" in refused(place, 2, "drop-database", f"{longest}y", "--confirm", f"{longest}y")
        assert place.state("create-database", longest) == "exists"


def test_the_servers_own_is_never_dropped(server_place: Place) -> None:
    name = "template1" if server_place.kind == "postgresql" else "mysql"
    server_place.dbctl.ok("create-database")
    assert refused(server_place, 1, "drop-database", name, "--confirm", name, "--force")
    assert server_place.state("create-database", name) == "exists"


def test_another_database_than_the_profiles_can_be_named(server_place: Place) -> None:
    other = f"{server_place.name}-2"
    assert server_place.state("create-database", other) == "created"
    assert server_place.state("drop-database", other, "--confirm", other) == "dropped"
    assert server_place.dbctl("ping").code == 4


def test_what_it_is_to_be_like(server_place: Place) -> None:
    encoding, collation = ("LATIN1", "C") if server_place.kind == "postgresql" else ("latin1", "latin1_bin")
    server_place.dbctl.ok("create-database", "--encoding", encoding, "--collation", collation)
    query = (
        "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = %s"
        if server_place.kind == "postgresql"
        else "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
        " WHERE schema_name = %s"
    )
    assert server_place.at.execute(query, [server_place.name]) == [(encoding, collation)]


def test_what_there_is_none_of_is_refused_before_anything_is_done(place: Place) -> None:
    result = place.dbctl("create-database", "--owner", "app")
    if place.kind == "postgresql":
        assert place.at.execute(
            "SELECT rolname FROM pg_roles r JOIN pg_database ON datdba = r.oid WHERE datname = %s", [place.name]
        ) == [("app",)]
    else:
        assert (result.code, result.out) == (1, ""), str(result)
        assert "a database has no owner of its own there" in result.err
        assert place.dbctl("ping").code == 4


def test_a_role_that_may_not_is_told_who_may(server_place: Place) -> None:
    server_place.at.drop_role("humble")
    server_place.at.create_role("humble", "humble")
    server_place.profile("humble", "humble", "HUMBLE")
    humble = server_place.dbctl.with_env(HUMBLE="humble")
    try:
        result = humble("-p", "humble", "create-database")
        assert (result.code, result.out) == (1, ""), str(result)
        assert "have an administrator create it, or let this role: " in result.err
        server_place.dbctl.ok("create-database")
        if server_place.kind == "postgresql":  # elsewhere it may not connect to what it has no privilege on
            assert humble.ok("-p", "humble", "create-database", "--json").json["state"] == "exists"
    finally:
        server_place.at.drop_role("humble")


def test_a_wrong_password_is_said_as_ever(server_place: Place) -> None:
    for command in (["create-database"], ["drop-database", "--confirm", server_place.name], ["setup"]):
        result = server_place.dbctl(*command, env={"ADMIN_PASSWORD": "wrong"})
        assert (result.code, result.out) == (4, ""), str(result)
        assert "login failed" in result.err
        assert "wrong" not in result.err


def test_the_maintenance_database_can_be_named(postgres_place: Place) -> None:
    result = postgres_place.dbctl("create-database", "--maintenance-database", "nowhere")
    assert (result.code, result.out) == (4, "")
    assert 'database "nowhere" does not exist' in result.err
    assert postgres_place.state("create-database", "--maintenance-database", "template1") == "created"


def test_a_pooler_is_refused(postgres_place: Place) -> None:
    try:
        pooler = PgBouncer(postgres_place.at)
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with pooler:
        postgres_place.profile("pooled", "app", "APP_PASSWORD")
        text = postgres_place.toml.read_text()
        head, _, tail = text.rpartition(f"port = {postgres_place.at.port}")
        postgres_place.toml.write_text(f"{head}port = {pooler.port}{tail}")
        result = postgres_place.dbctl("-p", "pooled", "create-database")
        assert (result.code, result.out) == (1, ""), str(result)
        assert "a pooler such as PgBouncer answers here" in result.err


def test_memory_is_neither_created_nor_dropped(dbctl: Dbctl) -> None:
    for command in ("create-database", "setup"):
        result = dbctl("--url", "sqlite://", command)
        assert (result.code, result.out) == (1, ""), str(result)
        assert "is no file's path" in result.err


def test_a_file_goes_with_what_is_beside_it(dbctl: Dbctl) -> None:
    connection = sqlite3.connect(dbctl.cwd / "a.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x)")
    result = dbctl("--url", "sqlite:///a.db", "drop-database", "--confirm", "a.db")
    assert (result.code, "others have a.db open" in result.err) == (1, True), str(result)
    connection.close()
    dbctl.ok("--url", "sqlite:///a.db", "drop-database", "--confirm", "a.db")
    assert list(dbctl.cwd.glob("a.db*")) == []
    result = dbctl("--url", "sqlite:///nowhere/a.db", "create-database")
    assert (result.code, "there is no directory nowhere" in result.err) == (4, True), str(result)
