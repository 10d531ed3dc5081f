"""What the user may not see is said, and not left out in silence."""

import contextlib

import pytest

from tests.activity.sessions import Cast
from tests.activity.test_activity import ROW, blocked, seen
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked


def test_what_a_role_may_not_see_is_said_with_what_would_tell(
    contended: TestDatabase, dbctl: Dbctl, seer: Forked
) -> None:
    server = contended.server
    assert server
    with contextlib.closing(server.connect(user="seer", password="secret", database=contended.name)):
        result = forked(dbctl, contended).ok("activity", "--all", "--json")
    if contended.kind == "postgresql":
        assert "of other roles do" in result.err or "of another role does" in result.err
        assert 'is not told to app; it is with: GRANT pg_read_all_stats TO "app"' in result.err
        assert {row["state"] for row in result.json if row["user"] == "seer"} == {"not told"}
    else:
        assert "are not told to app@%; they are with: GRANT PROCESS ON *.* TO 'app'@'%'" in result.err


def test_who_may_not_see_statements_sees_who_blocks(postgres_database: TestDatabase, dbctl: Dbctl) -> None:
    """PostgreSQL tells everybody who waits for whom."""
    postgres_database.execute("CREATE TABLE contended (id INT PRIMARY KEY, x INT)")
    postgres_database.execute("INSERT INTO contended VALUES (1, 0)")
    server = postgres_database.server
    assert server
    server.create_role("looker", "secret")
    try:
        toml = postgres_database.toml.replace('user = "app"', 'user = "looker"')
        run = forked(dbctl, postgres_database).with_env(**dict.fromkeys(postgres_database.env, "secret"))
        (dbctl.cwd / "profiles.toml").write_text(f'default = "pg"\n\n{toml}', encoding="utf-8")
        with Cast(postgres_database) as cast:
            holder = cast.holding(ROW)
            waiting = cast.waiting(ROW)
            found = blocked(run, waiting)
            assert found[waiting]["blocked_by"] == [holder]
            assert found[waiting]["statement"] is None
    finally:
        server.drop_role("looker")


def test_passwords_in_statements_are_masked(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    secret = {
        "postgresql": "SELECT pg_sleep(30) /* ALTER ROLE x PASSWORD 'geheim' */",
        "mariadb": "SELECT SLEEP(30) /* ALTER USER x IDENTIFIED BY 'geheim' */",
        "mysql": "SELECT SLEEP(30) /* ALTER USER x IDENTIFIED BY 'geheim' */",
    }[contended.kind]
    number = cast.waiting(secret)
    from tests.activity.sessions import until

    until(lambda: seen(seer).get(number, {}).get("state") == "active")
    result = seer.ok("activity", "--json")
    killed = seer.ok("kill", str(number), "--json")
    assert "SLEEP(30)" in result.out.upper()
    for text in (result.out, result.err, killed.out, killed.err):
        assert "geheim" not in text


@pytest.mark.parametrize("columns", [80, 200])
def test_it_fits_a_screen(contended: TestDatabase, seer: Forked, cast: Cast, columns: int) -> None:
    holder = cast.holding(ROW)
    waiting = cast.waiting(f"{ROW} AND x IN ({', '.join(map(str, range(200)))})")
    blocked(seer, waiting)
    shown = seer.tty("activity", columns=columns).plain
    assert max(map(len, shown.splitlines())) <= columns
    assert f"`- {waiting}" in shown
    assert str(holder) in shown
    assert sum(line.lstrip().startswith("UPDATE contended") for line in shown.splitlines()) <= 2
    print(shown)
