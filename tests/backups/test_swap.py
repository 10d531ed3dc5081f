"""The swap at the end of `restore`: whatever comes in the middle of it, the database is the old one or the new one."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from dbctl.backends.mysql.backups import MySQLBackups
from dbctl.backends.postgresql.backups import PostgreSQLBackups
from tests.backups.conftest import Shop
from tests.harness.forked import of_tests

_TO_BE_HEARD = 0.4
"""Seconds that a signal has to be heard, and to have what runs on the server ended."""

MOMENTS = [
    ("sqlite", "link"),
    ("postgresql", "ALTER"),
    *((kind, moment) for kind in ("mariadb", "mysql") for moment in ("DROP", "RENAME", "CREATE (?!DATABASE)")),
]


class Watched:
    """A connection that does something else before the first statement of a kind."""

    def __init__(self, connection: Any, pattern: str, act: Callable[[Any], Any]) -> None:
        self._connection, self._pattern, self._act = connection, re.compile(pattern), act
        self._done = False

    def exec_driver_sql(self, sql: str, *more: Any) -> Any:
        """Run a statement."""
        if not self._done and self._pattern.match(sql):
            self._done = True
            self._act(self._connection)
        return self._connection.exec_driver_sql(sql, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def act_at(patch: pytest.MonkeyPatch, kind: str, moment: str, act: Callable[[Any], Any], what: str = "swap") -> None:
    """Have something done at a moment of the swap, or of another part of a backend's work."""
    if kind == "sqlite":
        link = os.link

        def linked(*paths: Any) -> None:
            act(None)
            link(*paths)

        patch.setattr("os.link", linked)
        return
    backend: Any = PostgreSQLBackups if kind == "postgresql" else MySQLBackups
    method = getattr(backend, what)

    def watched(self: Any, connection: Any, *names: Any, **how: Any) -> Any:
        return method(self, Watched(connection, moment, act), *names, **how)

    patch.setattr(backend, what, watched)


def end_this(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_TO_BE_HEARD)


def cutting(shop: Shop) -> Callable[[Any], Any]:
    """Return what has the server end a connection's session."""
    server = shop.database.server
    assert server
    own, end = {"postgresql": ("pg_backend_pid()", "SELECT pg_terminate_backend({})")}.get(
        shop.database.kind, ("connection_id()", "KILL {}")
    )
    return lambda connection: server.execute(end.format(connection.exec_driver_sql(f"SELECT {own}").scalar()))


@pytest.mark.parametrize(("database", "moment"), MOMENTS, indirect=["database"])
def test_a_signal_comes_before_it_or_after_it(shop: Shop, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has begun is done to its end, and told."""
    new, backup = shop.contents(), shop.backup()
    shop.execute("DELETE FROM part" if shop.database.server else "DELETE FROM child")
    old = shop.contents()
    act_at(monkeypatch, shop.database.kind, moment, end_this)
    line = ("-p", "admin", "restore", backup.name, "--into", shop.database.name, "--json")
    result = of_tests(shop.dbctl)(*line)
    monkeypatch.undo()
    assert result.code == 0, str(result)
    assert shop.contents() == new
    assert shop.contents(result.json["before"]) == old


def test_a_signal_in_it_leaves_the_old_one_that_was_to_be_dropped(
    pg_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, name = pg_shop.backup(), pg_shop.database.name
    act_at(monkeypatch, "postgresql", "ALTER", end_this)
    result = of_tests(pg_shop.dbctl)("-p", "admin", "restore", backup.name, "--into", name, "--drop-old", "--json")
    assert result.code == 0, str(result)
    assert "is restored, and the one before stays as" in result.err
    assert pg_shop.contents(result.json["before"]) == pg_shop.contents()


@pytest.mark.parametrize(("database", "moment"), MOMENTS[1::2], indirect=["database"])
def test_a_connection_that_is_lost_in_it_is_told_with_what_may_be_missing(
    shop: Shop, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = shop.backup()
    act_at(monkeypatch, shop.database.kind, moment, cutting(shop))
    result = of_tests(shop.dbctl)("-p", "admin", "restore", backup.name, "--into", shop.database.name)
    assert result.code == (1 if "CREATE" in moment else 9), str(result)
    assert ("TRIGGER stamped" in result.err) is (moment not in {"ALTER", "DROP"}), str(result)
    assert shop.execute("SELECT count(*) FROM item") == [(300,)]


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_a_table_that_others_keep_is_not_waited_for_without_end(shop: Shop) -> None:
    """They have come by another database, where no one looks for them."""
    server, name, backup, before = shop.database.server, shop.database.name, shop.backup(), shop.contents()
    assert server
    profiles = shop.dbctl.cwd / "profiles.toml"
    profiles.write_text(profiles.read_text().replace("[profiles.admin]", "[profiles.admin]\nlock_timeout = 1"))
    with contextlib.closing(server.connect(autocommit=False)) as connection:
        connection.cursor().execute(f"SELECT * FROM {name}.child")
        result = shop.dbctl("-p", "admin", "restore", backup.name, "--into", name)
        assert (result.code, result.out) == (5, ""), str(result)
    assert shop.contents() == before
    assert [one for (one,) in server.execute("SHOW DATABASES") if one.startswith((f"{name}_", "dbctl_"))] == []


@pytest.mark.parametrize(("database", "lost"), [("mariadb", False), ("mysql", True)], indirect=["database"])
def test_single_tables_come_with_their_triggers_or_that_is_told(
    shop: Shop, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal waits, and a lost connection leaves them without."""
    shop.execute("DROP TABLE child")
    backup, name = shop.backup(), shop.database.name
    shop.execute("DROP TABLE item")
    act_at(monkeypatch, shop.database.kind, "CREATE ", cutting(shop) if lost else end_this, "bring")
    result = of_tests(shop.dbctl)("-p", "admin", "restore", backup.name, "--table", "item", "--into", name)
    assert result.code == (1 if lost else 0), str(result)
    assert ("TRIGGER stamped" in result.err, "all the same" in result.err) == (lost, lost), str(result)
    assert shop.execute("SELECT count(*) FROM item") == [(300,)]
    triggers = "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()"
    assert shop.execute(triggers) == ([] if lost else [("stamped",)])
