"""`dbctl restore`: round trips, and what is there until the end."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backups.conftest import Shop
from tests.harness.forked import of_tests


def admin(shop: Shop) -> tuple[str, str]:
    return "-p", "admin"


def test_what_is_restored_is_what_was_there(shop: Shop) -> None:
    """In a new database, and then in the place of the one that it is of."""
    before = shop.contents()
    backup = shop.backup()
    other = f"{shop.database.name}_other"
    found = shop.dbctl.ok(*admin(shop), "restore", backup.name, "--into", other, "--json").json
    assert (found["before"], found["rows"] >= 600) == (None, True)
    assert shop.contents(other) == before

    shop.execute("DELETE FROM part" if shop.database.server else "DELETE FROM child")
    changed = shop.contents()
    assert changed != before
    tried = shop.dbctl.ok(
        *admin(shop), "restore", backup.name, "--into", shop.database.name, "--dry-run", "--json"
    ).json
    assert tried["before"]
    assert shop.contents() == changed
    found = shop.dbctl.ok(*admin(shop), "restore", backup.name, "--into", shop.database.name, "--json").json
    assert shop.contents() == before
    assert shop.contents(found["before"]) == changed
    found = shop.dbctl.ok(
        *admin(shop), "restore", backup.name, "--into", shop.database.name, "--drop-old", "--json"
    ).json
    assert found["before"] is None
    assert shop.contents() == before


def test_owner_grants_and_settings_go_along(pg_shop: Shop) -> None:
    server, name = pg_shop.database.server, pg_shop.database.name
    assert server
    server.execute(f"ALTER DATABASE {name} SET work_mem = '5MB'")
    server.execute(f'ALTER DATABASE {name} SET search_path = "a b", public')
    server.execute(f"ALTER ROLE {server.app_user} IN DATABASE {name} SET lock_timeout = '7s'")
    server.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    query = (
        "SELECT pg_get_userbyid(datdba), encoding, datcollate, datacl::text, (SELECT array_agg(one ORDER BY one)"
        f" FROM pg_db_role_setting, unnest(setconfig) one WHERE setdatabase = d.oid)"
        f" FROM pg_database d WHERE datname = '{name}'"
    )
    before = server.execute(query)
    backup = pg_shop.backup("jobs", "--jobs", "2")
    assert backup.is_dir()
    server.execute(f"ALTER DATABASE {name} SET work_mem = '6MB'")  # the one that is there counts
    changed = server.execute(query)
    assert changed != before
    pg_shop.dbctl.ok("-p", "admin", "restore", "jobs", "--into", name, "--drop-old", "--jobs", "2")
    assert server.execute(query) == changed
    server.drop_database(name)
    pg_shop.dbctl.ok("-p", "admin", "restore", "jobs", "--into", name)
    assert server.execute(query) == before


def test_who_is_connected_is_named_and_ended_only_when_that_is_said(shop: Shop) -> None:
    backup, before = shop.backup(), shop.contents()
    line = (*admin(shop), "restore", backup.name, "--into", shop.database.name)
    with contextlib.closing(shop.database.connect()) as connection:
        connection.cursor().execute("SELECT 1 FROM item")
        result = shop.dbctl(*line)
        assert (result.code, result.out) == (1, ""), str(result)
        assert "others " in result.err
        assert shop.contents() == before
        if shop.database.server:
            shop.dbctl.ok(*line, "--force")
    assert shop.contents() == before


def test_an_altered_one_changes_nothing(shop: Shop) -> None:
    backup, before = shop.backup(), shop.contents()
    backup.write_bytes(backup.read_bytes()[:-20])
    result = shop.dbctl(*admin(shop), "restore", backup.name, "--into", shop.database.name)
    assert (result.code, result.out) == (6, ""), str(result)
    assert shop.contents() == before


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_a_swap_of_tables_that_the_server_refuses_leaves_all_as_it_was(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(contents: Any, target: str) -> Iterator[str]:
        yield f"`{contents.database}`.nothing TO `{target}`.nothing"

    monkeypatch.setattr("dbctl.backends.mysql.moving._Contents.moves", missing)
    before, backup = shop.contents(), shop.backup()
    result = of_tests(shop.dbctl)(*admin(shop), "restore", backup.name, "--into", shop.database.name)
    assert (result.code, result.out, "nothing" in result.err) == (1, "", True), str(result)
    assert shop.contents() == before
