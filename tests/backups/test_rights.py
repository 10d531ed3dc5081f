"""A role that may not do something is told so in one line, and nothing is left of what it began."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from tests.backups.conftest import Shop
from tests.backups.held import files_in, said
from tests.backups.stalled import COMMANDS
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS
from tests.harness.result import Result

on_servers = pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
on_mysql = pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)


def refusal(result: Result, code: int = 1) -> str:
    """Return the one line by which something is refused."""
    assert (result.code, result.out) == (code, ""), str(result)
    lines = said(result.err.encode())
    errors = [line for line in lines if line.startswith("dbctl: error: ")]
    assert len(errors) == 1, str(result)
    assert not [line for line in lines if " stays" in line], str(result)
    return errors[0]


def databases(shop: Shop) -> list[str]:
    """Return the databases that were made beside the shop's own."""
    server = shop.database.server
    assert server
    query = {"postgresql": "SELECT datname FROM pg_database"}.get(shop.database.kind, "SHOW DATABASES")
    return [name for (name,) in server.execute(query) if name.startswith(("dbctl_", f"{shop.database.name}_"))]


def own_line(shop: Shop, command: str, backup: str) -> tuple[str, ...]:
    if command == "verify":
        return "backup", "verify", backup
    return "restore", backup, "--into", shop.database.name


@on_servers
@pytest.mark.parametrize("command", COMMANDS)
def test_who_may_create_no_database(shop: Shop, command: str) -> None:
    before = shop.contents()
    refused = refusal(shop.dbctl(*own_line(shop, command, shop.backup().name)))
    assert "denied" in refused
    assert databases(shop) == []
    assert shop.contents() == before


def test_who_may_not_read_one_table(pg_shop: Shop) -> None:
    server, name = pg_shop.database.server, pg_shop.database.name
    assert server
    server.execute("CREATE TABLE secret (a int)", database=name)
    refused = refusal(pg_shop.dbctl("backup", "create", "x.dump"))
    assert "permission denied for table secret" in refused
    assert files_in(pg_shop.dbctl.cwd) == set()


def test_whose_rows_a_policy_hides(pg_shop: Shop) -> None:
    pg_shop.execute("ALTER TABLE item ENABLE ROW LEVEL SECURITY")
    pg_shop.execute("ALTER TABLE item FORCE ROW LEVEL SECURITY")
    refused = refusal(pg_shop.dbctl("backup", "create", "x.dump"))
    assert "row-level security" in refused
    assert files_in(pg_shop.dbctl.cwd) == set()


@on_mysql
def test_a_routine_of_somebody_else_is_in_it_or_refused(shop: Shop) -> None:
    """A newer MariaDB lets who has all rights on a database see it, and the others let nobody else."""
    server, name = shop.database.server, shop.database.name
    assert server
    server.execute("CREATE FUNCTION theirs() RETURNS int DETERMINISTIC RETURN 1", database=name)
    result = shop.dbctl("backup", "create", "x.sql", "--compress", "none", "--quiet")
    if result.code == 0:
        assert "theirs" in (shop.dbctl.cwd / "x.sql").read_text()
    else:
        assert "theirs" in refusal(result)
        assert files_in(shop.dbctl.cwd) == set()


@on_mysql
@pytest.mark.parametrize("command", COMMANDS)
def test_who_may_not_make_a_view_of_somebody_else(shop: Shop, command: str) -> None:
    server, name = shop.database.server, shop.database.name
    assert server
    server.execute("CREATE VIEW theirs AS SELECT id FROM item", database=name)
    server.execute(f"GRANT ALL ON `dbctl%`.* TO {server.app_user}")
    before = shop.contents()
    backup = shop.backup()
    try:
        refused = refusal(shop.dbctl(*own_line(shop, command, backup.name)))
    finally:
        server.execute(f"REVOKE ALL ON `dbctl%`.* FROM {server.app_user}")
    assert "1227" in refused
    assert databases(shop) == []
    assert shop.contents() == before


@contextlib.contextmanager
def reader(shop: Shop, *grants: str) -> Iterator[Dbctl]:
    """Have dbctl, for the block, with a profile `reader` of a user who is granted this; {} is the database."""
    server, profiles = shop.database.server, shop.dbctl.cwd / "profiles.toml"
    assert server
    table = shop.database.toml.replace("[profiles.my", "[profiles.reader").replace('"app"', '"reader"')
    profiles.write_text(profiles.read_text() + table)
    server.create_role("reader", "pw")
    try:
        for grant in grants:
            server.execute(f"GRANT {grant} TO reader".format(f"`{shop.database.name}`"))
        yield shop.dbctl.with_env(**dict.fromkeys(shop.database.env, "pw"))
    finally:
        server.drop_role("reader")


CREATE = ("-p", "reader", "backup", "create", "x.sql")


@on_mysql
@pytest.mark.parametrize(
    ("rights", "unseen"),
    [
        ("SELECT, SHOW VIEW, EVENT", "triggers (TRIGGER), routines (EXECUTE)"),
        ("SELECT, SHOW VIEW, EVENT, TRIGGER, EXECUTE", None),
    ],
)
def test_who_may_not_see_all_is_told_what_is_not_in_it(shop: Shop, rights: str, unseen: str | None) -> None:
    for routine in ("FUNCTION doubled", "PROCEDURE fill"):  # whose bodies only their owner reads
        shop.execute(f"DROP {routine}")
    with reader(shop, f"{rights} ON {{}}.*") as dbctl:
        result = dbctl.ok(*CREATE)
    lacks = json.loads((shop.dbctl.cwd / "x.sql.manifest.json").read_text())["lacks"]
    assert ("triggers that the user may not see, without TRIGGER" in lacks) is bool(unseen)
    assert "may not see all" not in shop.dbctl.ok("-p", "admin", "backup", "create", "y.sql").err
    told = [line.rpartition("in the backup: ")[2] for line in said(result.err.encode()) if "may not see all" in line]
    assert told == ([unseen] if unseen else [])


@on_mysql
def test_a_table_that_is_seen_and_may_not_be_read(shop: Shop) -> None:
    with reader(shop, "EVENT, TRIGGER, SHOW VIEW, EXECUTE ON {}.*", "SELECT ON {}.child") as dbctl:
        assert "denied" in refusal(dbctl(*CREATE))
    assert files_in(shop.dbctl.cwd) == set()


@on_mysql
def test_what_a_role_may_see_counts(shop: Shop) -> None:
    server, mariadb = shop.database.server, shop.database.kind == "mariadb"
    assert server
    server.execute("CREATE ROLE seeing")
    try:
        for right in (f"SELECT, SHOW VIEW ON `{shop.database.name}`.*", "EXECUTE, EVENT ON *.*"):
            server.execute(f"GRANT {right} TO seeing")
        with reader(shop, "seeing") as dbctl:
            server.execute(f"SET DEFAULT ROLE seeing {'FOR' if mariadb else 'TO'} reader")
            for routine in ("FUNCTION doubled", "PROCEDURE fill"):
                shop.execute(f"DROP {routine}")
            result = dbctl.ok(*CREATE)
    finally:
        server.execute("DROP ROLE seeing")
    assert "not in the backup: triggers (TRIGGER)\n" in result.err
