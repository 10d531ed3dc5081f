"""A server that is killed midway: no file looks whole, and it comes back with all as it was."""

import re

import pytest

from dbctl.backends.mysql.backups import MySQLBackups
from dbctl.backends.postgresql.backups import PostgreSQLBackups
from tests.backups.conftest import Shop
from tests.backups.held import PATIENCE, files_in, held, running, said, wait_for
from tests.backups.stalled import COMMANDS, left_by, line_for, stalled
from tests.harness.database import SERVER_KINDS

on_servers = pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)


@on_servers
def test_of_a_backup_nothing_is_left_and_the_old_one_stays(shop: Shop) -> None:
    server, old = shop.database.server, shop.backup()
    assert server
    kept = old.read_bytes()
    with held(shop, "backup", "create", ".", "--keep", "1") as run:
        server.stop("immediate")
        _, err = run.process.communicate(timeout=PATIENCE)
    assert (run.process.returncode, len(said(err))) == (4, 1), err
    assert files_in(shop.dbctl.cwd) == {"shop.backup", "shop.backup.manifest.json"}
    assert old.read_bytes() == kept


@on_servers
@pytest.mark.parametrize("command", COMMANDS)
def test_a_restore_leaves_all_as_it_was_and_the_next_drops_what_it_has_left(shop: Shop, command: str) -> None:
    server, good, before = shop.database.server, shop.backup(), shop.contents()
    assert server
    with stalled(shop) as held:
        with running(held.dbctl, *line_for(shop, command, held.backup)) as process:
            wait_for(held.reached)
            server.stop("immediate")
            held.go()
            _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 4, err
        assert sum(line.startswith("dbctl: error:") for line in said(err)) == 1, err
        server.start()
        assert shop.contents() == before
        shop.dbctl.ok(*line_for(shop, command, good), env={"TMPDIR": str(held.temporary)})
        assert left_by(shop, held.temporary) == []
    assert files_in(shop.dbctl.cwd) == {"shop.backup", "shop.backup.manifest.json", "held", "held.manifest.json"}


@on_servers
@pytest.mark.parametrize("command", COMMANDS)
def test_a_tool_whose_session_is_ended_does_not_go_on_in_another(shop: Shop, command: str) -> None:
    """Which would have other settings than the backup's first lines made."""
    server, before = shop.database.server, shop.contents()
    assert server
    with stalled(shop) as held, running(held.dbctl, *line_for(shop, command, held.backup)) as process:
        end = {"postgresql": "SELECT pg_terminate_backend({})"}.get(shop.database.kind, "KILL {}")
        for (session,) in wait_for(held.reached):
            server.execute(end.format(session))
        held.go()
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 4, err
        assert len(said(err)) == 1, err
    assert shop.contents() == before
    assert left_by(shop, held.temporary) == []


@pytest.mark.parametrize(
    ("kind", "told", "is_lost"),
    [
        (MySQLBackups, "ERROR 2013 (HY000) at line 5: Lost connection to server during query", True),
        (MySQLBackups, 'mysqldump: Got error: 2003: "Can\'t connect to MySQL server" when trying to connect', True),
        (MySQLBackups, "Couldn't execute 'SELECT 1': TLS/SSL error: unexpected eof while reading (2026)", True),
        (MySQLBackups, "ERROR 1062 (23000) at line 2013: Duplicate entry '2006' for key 'PRIMARY'", False),
        (PostgreSQLBackups, "pg_dump: error: SSL SYSCALL error: EOF detected", True),
        (PostgreSQLBackups, "pg_restore: error: could not execute query: ERROR:  syntax error", False),
    ],
)
def test_a_lost_connection_is_told_from_a_failure_with_its_number(
    kind: type[MySQLBackups | PostgreSQLBackups], told: str, is_lost: bool
) -> None:
    assert bool(re.search(kind.tool_lost, told)) is is_lost
