"""`dbctl topology`: the nodes as they see each other, from whichever one it is asked."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.pairs import Pair, address, server_of
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked


def on(dbctl: Dbctl, database: TestDatabase) -> Forked:
    (dbctl.cwd / "profiles.toml").write_text(database.toml, encoding="utf-8")
    return Forked(cwd=dbctl.cwd, home=dbctl.home, env=database.env)


def at(database: TestDatabase) -> str:
    return f"{server_of(database).host}:{server_of(database).port}"


def both(dbctl: Dbctl, database: TestDatabase) -> Any:
    """Return the two nodes of a pair, of which the one may just be coming back to the other behind another test."""
    run = on(dbctl, database)

    def nodes() -> Any:
        return run.ok("topology", "--json").json

    assert within(20, lambda: len(nodes()) == 2)
    return nodes()


def test_a_standby_tells_of_its_primary_which_is_asked_too(pair: Pair, dbctl: Dbctl) -> None:
    above, below = both(dbctl, pair.standby)
    assert list(above) == [
        *("node", "role", "state", "version", "lag_s", "lag_bytes", "follows", "name", "cluster", "timeline"),
        *("asked", "seen_by", "missing", "error"),
    ]
    assert [above["role"], below["role"]] == ["primary", "standby"]
    assert [above["asked"], below["asked"]] == [True, True]
    assert below["follows"] == above["node"]
    assert str(server_of(pair.primary).port) in above["node"]
    assert above["version"] == below["version"] != None  # noqa: E711
    assert below["lag_s"] is not None
    assert above["lag_s"] is None


def test_a_primary_tells_of_those_that_follow_it(pair: Pair, dbctl: Dbctl) -> None:
    above, below = both(dbctl, pair.primary)
    assert [above["node"], above["follows"]] == [at(pair.primary), None]
    assert [below["role"], below["follows"], below["seen_by"]] == ["standby", above["node"], [above["node"]]]


def test_all_hosts_of_the_profile_are_drawn_as_one_tree_and_what_can_not_be_asked_says_why(
    pair: Pair, dbctl: Dbctl
) -> None:
    both(dbctl, pair.standby)
    hosts = [address(pair.standby), address(pair.primary), "127.0.0.1:1"]
    lines = [line for line in pair.primary.toml.splitlines() if not line.startswith(("host = ", "port = "))]
    shown = on(dbctl, pair.primary)
    (dbctl.cwd / "profiles.toml").write_text("\n".join([lines[0], f"hosts = {hosts}", *lines[1:]]))
    rows = shown.ok("topology", "--json").json
    assert [(row["node"], row["role"], row["follows"]) for row in rows] == [
        (address(pair.primary), "primary", None),
        (address(pair.standby), "standby", address(pair.primary)),
        ("127.0.0.1:1", None, None),
    ]
    assert "refused" in rows[2]["error"]
    assert f"`- {address(pair.standby)}" in shown.ok("topology", "--output", "table").out


@pytest.mark.parametrize("pair", ["postgresql"], indirect=True)
def test_what_a_user_is_not_told_is_null_and_no_standby_is_there_twice(pair: Pair, dbctl: Dbctl) -> None:
    primary = server_of(pair.primary)
    both(dbctl, pair.standby)
    primary.execute("REVOKE pg_monitor FROM app")
    try:
        hosts = [address(pair.standby), address(pair.primary)]
        lines = [line for line in pair.primary.toml.splitlines() if not line.startswith(("host = ", "port = "))]
        shown = on(dbctl, pair.primary)
        (dbctl.cwd / "profiles.toml").write_text("\n".join([lines[0], f"hosts = {hosts}", *lines[1:]]))
        found = shown.ok("topology", "--json")
        rows = [(row["role"], row["follows"], row["lag_bytes"]) for row in found.json]
        assert rows == [("primary", None, None), ("standby", address(pair.primary), None)]
        assert "GRANT pg_monitor lets it" in found.err
    finally:
        primary.execute("GRANT pg_monitor TO app")


def test_a_file_has_no_nodes(dbctl: Dbctl, tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    result = dbctl("--url", f"sqlite:///{tmp_path}/a.db", "topology")
    assert (result.code, result.out) == (1, "")
    assert result.talk == "dbctl: error: SQLite has no nodes: it is one file, on one machine\n"


@pytest.mark.parametrize("hosts", [1, 2])
def test_where_no_host_answers_it_is_said_of_each(dbctl: Dbctl, hosts: int) -> None:
    named = '", "'.join(f"127.0.0.1:{port}" for port in range(1, hosts + 1))
    (dbctl.cwd / "profiles.toml").write_text(f'[profiles.p]\ndriver = "postgresql"\nhosts = ["{named}"]\n')
    result = dbctl("topology")
    assert (result.code, result.talk.count("refused")) == (4, hosts), str(result)
