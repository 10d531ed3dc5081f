"""`dbctl create-role`: each role may do what it is for, with tables to come too, and no more."""

from collections.abc import Iterator

import pytest

from tests.databases.conftest import PASSWORD, Place
from tests.servers.client import rows

ROLES = {"a": "app", "r": "readonly", "m": "migrator"}


@pytest.fixture
def roles(server_place: Place) -> Iterator[dict[str, str]]:
    """Names of roles that the test may create, by what they are for; each has a profile named as its purpose."""
    end = server_place.name[-8:]
    names = {purpose: f"{letter}_{end}" for letter, purpose in ROLES.items()}

    for purpose, name in names.items():
        server_place.profile(purpose, name, "ROLE_PASSWORD")
    server_place.dbctl.ok("create-database")
    yield names
    server_place.at.drop_database(server_place.name)
    for name in names.values():
        server_place.at.drop_role(name)


def may(place: Place, purpose: str, statement: str) -> bool:
    result = place.dbctl("-p", purpose, "query", "--write", statement)
    assert result.code in {0, 1}, str(result)
    assert result.code == 0 or "denied" in result.err or "must be owner" in result.err, str(result)
    return result.code == 0


@pytest.mark.parametrize("order", [["migrator", "app", "readonly"], ["app", "readonly", "migrator"]])
def test_each_may_do_what_it_is_for(server_place: Place, roles: dict[str, str], order: list[str]) -> None:
    server_place.dbctl.ok("query", "--write", "CREATE TABLE earlier (id INTEGER PRIMARY KEY)")
    for purpose in order:
        found = server_place.dbctl.ok(
            "create-role", roles[purpose], "--for", purpose, "--password-env", "ROLE_PASSWORD", "--json"
        ).json
        assert found == [{"role": roles[purpose], "purpose": purpose, "state": "created"}]
    assert may(server_place, "migrator", "CREATE TABLE later (id INTEGER PRIMARY KEY)")
    for table in ("earlier", "later"):
        assert not may(server_place, "readonly", f"INSERT INTO {table} VALUES (1)")
        assert may(server_place, "app", f"INSERT INTO {table} VALUES (1)")
        assert may(server_place, "readonly", f"SELECT * FROM {table}")
        assert not may(server_place, "app", f"DROP TABLE {table}")
    assert not may(server_place, "app", "CREATE TABLE third (id INTEGER)")
    for purpose in roles:
        assert not [
            row
            for row in server_place.dbctl("-p", purpose, "doctor", "--json").json
            if row["check"] == "login" and row["level"] != "ok"
        ]


def test_it_may_be_run_again_and_keeps_the_password(server_place: Place, roles: dict[str, str]) -> None:
    line = ("create-role", roles["app"], "--for", "app", "--json")
    server_place.dbctl.ok(*line, "--password-env", "ROLE_PASSWORD")
    assert server_place.dbctl.ok(*line).json[0]["state"] == "exists"
    server_place.dbctl.ok("-p", "app", "ping")


def test_the_password_is_nowhere(server_place: Place, roles: dict[str, str]) -> None:
    """Neither in the echo, nor in a dry run, nor in what the server was sent."""
    result = server_place.dbctl.ok(
        "--echo", "create-role", roles["app"], "--for", "app", "--password-env", "ROLE_PASSWORD"
    )
    assert PASSWORD not in result.err + result.out
    assert "********" in result.err
    shown = server_place.dbctl.ok("create-role", roles["readonly"], "--for", "readonly", "--dry-run").out
    assert "********" in shown
    assert may(server_place, "app", "SELECT 1")
    with server_place.at.connect() as connection:  # type: ignore[attr-defined]
        names = [row[0] for row in rows(connection, "SELECT " + (
            "rolname FROM pg_roles" if server_place.kind == "postgresql" else "user FROM mysql.user"
        ))]  # fmt: skip
    assert roles["readonly"] not in names


def test_a_person_is_asked_twice_without_an_echo(server_place: Place, roles: dict[str, str]) -> None:
    line = ("create-role", roles["app"], "--for", "app")
    keys = [(f"Password of the new role {roles['app']}: ", "one\n"), ("Once more: ", "two\n")]
    result = server_place.dbctl.tty(*line, keys=keys, columns=200)
    assert result.code == 2
    assert "the two passwords that were typed differ" in result.plain
    keys = [(f"Password of the new role {roles['app']}: ", f"{PASSWORD}\n"), ("Once more: ", f"{PASSWORD}\n")]
    result = server_place.dbctl.tty(*line, keys=keys, columns=200)
    assert result.code == 0, str(result)
    assert PASSWORD not in result.plain
    server_place.dbctl.ok("-p", "app", "ping")


def test_where_nobody_can_be_asked_a_source_is_asked_for(server_place: Place, roles: dict[str, str]) -> None:
    result = server_place.dbctl("create-role", roles["app"], "--for", "app")
    assert (result.code, "name --password-env or --password-file" in result.err) == (2, True), str(result)
    file = server_place.dbctl.cwd / "secret"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    file.chmod(0o644)
    line = ("create-role", roles["app"], "--for", "app", "--password-file", "secret")
    assert server_place.dbctl(*line).code == 3
    file.chmod(0o600)
    server_place.dbctl.ok(*line)
    server_place.dbctl.ok("-p", "app", "ping")


def test_nobody_in_particular_is_no_role(server_place: Place) -> None:
    """MySQL and MariaDB take the empty name for whoever has no account."""
    place = server_place
    place.dbctl.ok("create-database")
    line = ("create-role", "", "--for", "readonly", "--password-env", "ROLE_PASSWORD")
    result = place.dbctl(*line)
    assert (result.code, "the name is empty" in result.err) == (2, True), str(result)
    if place.kind != "postgresql":
        assert not place.at.execute("SELECT user FROM mysql.user WHERE user = ''")
