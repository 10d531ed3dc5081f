"""`dbctl activity`: who does what for how long, and who keeps whom waiting."""

from typing import Any

from tests.activity.sessions import Cast, until
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

ROW = "UPDATE contended SET x = x + 1 WHERE id = 1"
ALTER = "ALTER TABLE contended ADD y INTEGER"


def seen(dbctl: Forked, *options: str) -> dict[int, dict[str, Any]]:
    return {row["session"]: row for row in dbctl.ok("activity", *options, "--json").json}


def blocked(dbctl: Forked, *sessions: int) -> dict[int, dict[str, Any]]:
    """Return what is seen when all these sessions wait."""

    def look() -> dict[int, dict[str, Any]] | None:
        found = seen(dbctl, "--blocked")
        return found if {*sessions} <= {number for number, row in found.items() if row["state"] == "waiting"} else None

    found: dict[int, dict[str, Any]] = until(look)
    return found


def test_who_holds_a_row_stands_above_who_waits_for_it(contended: TestDatabase, seer: Forked, cast: Cast) -> None:
    holder = cast.holding(ROW)
    first = cast.waiting(ROW)
    blocked(seer, first)
    second = cast.waiting(ROW)
    found = blocked(seer, first, second)
    assert next(iter(found)) == holder
    assert found[holder]["state"] == "idle in transaction"
    assert found[holder]["transaction"] >= 0
    assert (found[holder]["blocked_by"], found[holder]["root"]) == ([], holder)
    assert holder in found[first]["blocked_by"]
    assert {*found[second]["blocked_by"]} & {holder, first}
    for waiting in (first, second):
        assert found[waiting]["root"] == holder
        assert found[waiting]["statement"] == ROW
        assert found[waiting]["waits_for"]
        assert found[waiting]["suspects"] == []
    tree = [line for line in seer.ok("activity", "--blocked", "-o", "table").out.splitlines() if "`-" in line]
    assert [str(number) in line for number, line in zip((first, second), tree, strict=True)] == [True, True]


def test_an_alter_waits_for_an_idle_transaction_and_all_others_for_the_alter(
    contended: TestDatabase, seer: Forked, cast: Cast
) -> None:
    holder = cast.holding("SELECT * FROM contended")
    alter = cast.waiting(ALTER)
    blocked(seer, alter)
    reader = cast.waiting("SELECT * FROM contended")
    found = blocked(seer, alter, reader)
    if contended.kind == "mariadb":
        assert found[alter]["blocked_by"] == []
        assert holder in found[alter]["suspects"]
        said = seer.ok("activity", "--blocked").err
        assert "who holds what session" in said
        assert "INSTALL SONAME 'metadata_lock_info'" in said
        shown = seer.ok("activity", "--blocked", "-o", "table").out
        assert f"`? {alter}" in shown
        return
    assert found[alter]["blocked_by"] == [holder]
    assert found[reader]["blocked_by"] == [alter]
    assert [found[number]["root"] for number in (holder, alter, reader)] == [holder] * 3
    assert list(found) == [holder, alter, reader]
    assert seer.ok("activity", "--blocked").err == ""
