"""`dbctl kill`: it ends what was meant, says so, and sees whether that is gone."""

import contextlib

import pytest

from tests.activity.sessions import Cast, until
from tests.activity.test_activity import ROW, blocked, seen
from tests.cli.test_output import KILLED
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked

SLEEP = {"postgresql": "SELECT pg_sleep(60)", "mariadb": "SELECT SLEEP(60)", "mysql": "SELECT SLEEP(60)"}


def test_what_a_session_runs_is_cancelled_and_the_session_stays(
    contended: TestDatabase, seer: Forked, cast: Cast
) -> None:
    number = cast.waiting(SLEEP[contended.kind])
    until(lambda: seen(seer).get(number, {}).get("state") == "active")
    [row] = seer.ok("kill", str(number), "--json").json
    assert list(row) == KILLED
    assert (row["session"], row["action"], row["gone"]) == (number, "cancel", True)
    assert row["statement"] == SLEEP[contended.kind]
    until(lambda: seen(seer, "--all").get(number, {}).get("state") == "idle")


def test_a_session_that_runs_nothing_is_ended_only_by_terminate(
    contended: TestDatabase, seer: Forked, cast: Cast
) -> None:
    holder = cast.holding(ROW)
    waiting = cast.waiting(ROW)
    assert blocked(seer, waiting)
    result = seer("kill", str(holder))
    assert (result.code, result.out) == (1, "")
    assert f"session {holder} runs nothing: it is idle in transaction; end the session itself" in result.err
    assert result.err.endswith(" with --terminate\n")
    [row] = seer.ok("kill", str(holder), "--terminate", "--json").json
    assert (row["action"], row["gone"], row["blocks"]) == ("terminate", True, 0)
    until(lambda: waiting not in seen(seer, "--blocked"))


def test_a_dry_run_ends_nothing(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    holder = cast.holding(ROW)
    waiting = cast.waiting(ROW)
    blocked(seer, waiting)
    result = seer.ok("kill", "--blocking", "--dry-run", "--json")
    [row] = [row for row in result.json if row["session"] == holder]
    assert (row["gone"], row["blocks"], row["committed"]) == (None, 1, False)
    assert seen(seer)[holder]["state"] == "idle in transaction"


def test_a_rule_is_shown_and_asked_about_on_every_profile(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    holder = cast.holding(ROW)
    waiting = cast.waiting(ROW)
    blocked(seer, waiting)
    result = seer("kill", "--blocking")
    assert (result.code, result.out) == (8, "")
    assert f"dbctl: terminate session {holder} (" in result.err
    assert f"kill terminates session {holder} in {contended.name}" in result.err
    assert seen(seer)[holder]["blocked_by"] == []
    result = seer("kill", "--blocking", "--confirm=other")
    assert (result.code, result.out) == (8, "")
    shown = seer.tty("kill", "--blocking", keys=[("to go on: ", f"{contended.profile}\n")], columns=200)
    assert shown.code == 0, str(shown)
    until(lambda: {holder, waiting}.isdisjoint(seen(seer, "--blocked")))


def test_those_idle_in_a_transaction_are_chosen_by_their_age(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    holder = cast.holding(ROW)
    until(lambda: seen(seer).get(holder, {}).get("seconds", 0) >= 5)
    confirmed = f"--confirm={contended.profile}"
    result = seer("kill", "--idle-in-transaction", "300", "--json", confirmed)
    assert (result.code, result.json) == (0, [])
    assert "no session has been idle in a transaction for 300 s" in result.err
    young = cast.holding("SELECT * FROM contended")
    found = {row["session"] for row in seer.ok("kill", "--idle-in-transaction", "5", "--json", confirmed).json}
    assert holder in found
    assert young not in found
    assert holder not in seen(seer, "--all")
    assert young in seen(seer, "--all")


def test_what_is_not_there_is_an_error(seer: Forked, contended: TestDatabase) -> None:
    result = seer("kill", "99999999")
    assert (result.code, result.out) == (1, "")
    assert "dbctl: error: there is no session 99999999" in result.err
    for line in ("", "5 --blocking"):
        assert seer("kill", *line.split()).code == 2


def test_a_superusers_is_ended_only_with_force(contended: TestDatabase, seer: Forked) -> None:
    server = contended.server
    assert server
    with contextlib.closing(server.connect(database=contended.name)) as connection:
        from tests.activity.sessions import number_of

        number = number_of(connection)
        result = seer("kill", str(number), "--terminate")
        assert result.code == 1
        assert "a superuser's; where that is meant, end it all the same with --force" in result.err
        result = seer("kill", str(number), "--terminate", "--force", "--json")
        if contended.kind != "mariadb":  # the others let nobody but a superuser
            assert result.code == 1
            assert f"session {number} can't be ended: " in result.talk
            assert "Traceback" not in result.err
        else:
            assert (result.code, result.json[0]["gone"]) == (0, True)


def test_what_may_not_be_ended_is_one_line(contended: TestDatabase, dbctl: Forked, seer: Forked, cast: Cast) -> None:
    """An ordinary user may not end another's; MySQL does not even tell of it."""
    server = contended.server
    assert server
    with contextlib.closing(server.connect(user="seer", password="secret", database=contended.name)) as connection:
        from tests.activity.sessions import number_of

        number = number_of(connection)
        result = forked(dbctl, contended)("kill", str(number), "--terminate")
    assert (result.code, result.out) == (1, "")
    said = "can't be ended: " if contended.kind == "postgresql" else f"there is no session {number} that is told of"
    assert said in result.err
    assert len(result.talk.splitlines()) <= 2


@pytest.mark.parametrize("line", ["kill 1", "kill --blocking", "kill 1 --terminate"])
def test_sqlite_has_none_to_end(line: str, sqlite_database: TestDatabase, dbctl: Forked) -> None:
    sqlite_database.execute("CREATE TABLE t (a INT)")
    result = forked(dbctl, sqlite_database)(*line.split())
    assert (result.code, result.out) == (1, "")
    assert "SQLite has no sessions to end" in result.err
