"""A tunnel lasts as long as it is needed, whatever becomes of it or of dbctl, and not longer."""

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import dbctl
from dbctl.backends import backend_of
from dbctl.errors import ConnectError, OutOfTime
from dbctl.profiles import Profile
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.profile import one_unit, profile_of
from tests.servers.bastion import Bastion, is_gone, tunnels_of

ASK = """
import os, sqlalchemy
with sqlalchemy.create_engine(os.environ["DATABASE_URL"]).connect() as connection:
    print(connection.scalar(sqlalchemy.text("SELECT 42")))
"""
SLEEP = {"postgresql": "SELECT pg_sleep(30)", "mysql": "SELECT SLEEP(30)"}


@pytest.fixture
def own_ssh(bastion: Bastion, tmp_path: Path) -> str:
    """A PATH on which ssh knows the host `bastion`."""
    return f"{bastion.ssh(tmp_path)}:{os.environ['PATH']}"


@pytest.fixture
def profile(shared_server_database: TestDatabase, own_ssh: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Profile]:
    """A profile behind the bastion, whose shared engines end with the test."""
    monkeypatch.setenv("PATH", own_ssh)
    yield profile_of(shared_server_database, {"tunnel.ssh": "bastion"})
    dbctl.dispose()
    assert within(5, lambda: tunnels_of(os.getpid()) == [])


def tunnel() -> int:
    """Return the one process of ssh that this process has."""
    (found,) = tunnels_of(os.getpid())
    return found


def test_a_tunnel_that_dies_is_a_lost_connection_and_the_next_one_opens_another(profile: Profile) -> None:
    with dbctl.session(profile) as session:
        session.execute(text("SELECT 1"))
        statement = SLEEP[session.get_bind().dialect.name]
    first = tunnel()
    threading.Timer(0.5, os.kill, (first, signal.SIGKILL)).start()
    begun = time.monotonic()
    lost = "the connection was lost: tunnel failed: ssh was ended by SIGKILL"
    with pytest.raises(ConnectError, match=lost), dbctl.session(profile) as session:
        session.execute(text(statement))
    assert time.monotonic() - begun < 5
    with dbctl.session(profile) as session:
        assert session.execute(text("SELECT 42")).scalar_one() == 42
    assert tunnel() != first


def test_the_same_is_told_by_the_async_driver(profile: Profile) -> None:
    async def ask(statement: str) -> Any:
        async with dbctl.async_session(profile) as session:
            connection = await session.connection()
            return (await connection.execute(text(statement))).scalar_one()

    async def lose() -> None:
        assert await ask("SELECT 42") == 42
        threading.Timer(0.5, os.kill, (tunnel(), signal.SIGKILL)).start()
        with pytest.raises(ConnectError, match="the connection was lost: tunnel failed: ssh was ended by SIGKILL"):
            await ask(SLEEP[backend_of(profile).async_driver.partition("+")[0]])
        assert await ask("SELECT 42") == 42
        await dbctl.async_dispose()

    asyncio.run(lose())


def test_a_bastion_that_throws_one_out_is_told_with_what_ssh_says(profile: Profile, bastion: Bastion) -> None:
    with dbctl.session(profile) as session:
        session.execute(text("SELECT 1"))
    threading.Timer(0.5, bastion.throw_out).start()
    lost = r"the connection was lost: tunnel failed: ssh has ended with exit code 255: .*closed"
    with pytest.raises(ConnectError, match=lost), dbctl.session(profile) as session:
        session.execute(text(SLEEP[session.get_bind().dialect.name]))


def test_profiles_of_one_database_share_a_tunnel_until_the_last_of_them_is_done(profile: Profile) -> None:
    other = profile.model_copy(update={"name": "other"})
    with one_unit(profile) as unit:
        unit.session.execute(text("SELECT 1"))
        shared = tunnel()
        with one_unit(other) as second:
            second.session.execute(text("SELECT 1"))
            assert tunnel() == shared
        assert unit.session.execute(text("SELECT 42")).scalar_one() == 42
    assert is_gone(shared)


def test_a_connection_in_use_keeps_the_tunnel_of_an_engine_that_was_disposed_of(profile: Profile) -> None:
    with dbctl.engine(profile).connect() as connection:
        connection.execute(text("SELECT 1"))
        held = tunnel()
        dbctl.dispose()
        assert connection.execute(text("SELECT 42")).scalar_one() == 42
        connection.invalidate()
    assert is_gone(held)


def test_two_databases_behind_one_bastion_have_a_tunnel_each(
    profile: Profile, postgres_database: TestDatabase, mariadb_database: TestDatabase
) -> None:
    one, other = (profile_of(each, {"tunnel.ssh": "bastion"}) for each in (postgres_database, mariadb_database))
    with one_unit(one) as first, one_unit(other) as second:
        assert first.session.execute(text("SELECT current_database()")).scalar_one() == postgres_database.name
        assert second.session.execute(text("SELECT database()")).scalar_one() == mariadb_database.name
        assert len(tunnels_of(os.getpid())) == 2


def _in_a_fork(profile: Profile, tell: "multiprocessing.connection.Connection[object, object]") -> None:
    with dbctl.session(profile) as session:
        answer = session.execute(text("SELECT 42")).scalar_one()
    tell.send((answer, tunnels_of(os.getpid())))
    dbctl.dispose()


def test_a_fork_opens_its_own_and_leaves_its_parents_alone(profile: Profile) -> None:
    with dbctl.session(profile) as session:
        session.execute(text("SELECT 1"))
        parents = tunnel()
        here, there = multiprocessing.Pipe()
        child = multiprocessing.get_context("fork").Process(target=_in_a_fork, args=(profile, there))
        child.start()
        assert here.poll(20)
        answer, (childs,) = here.recv()
        child.join(20)
        assert answer == 42
        assert childs != parents
        assert is_gone(childs)
        assert session.execute(text("SELECT 42")).scalar_one() == 42
        assert tunnel() == parents


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_what_takes_too_long_is_ended_at_the_server_through_it(profile: Profile, driver: str) -> None:
    """PostgreSQL and MariaDB do so by themselves; MySQL is told on a second connection."""
    bounded = profile.model_copy(update={"statement_timeout": 0.5})
    statement = SLEEP[backend_of(profile).async_driver.partition("+")[0]]

    def ask() -> None:
        with dbctl.session(bounded) as session:
            session.execute(text(statement))

    async def ask_async() -> None:
        try:
            async with dbctl.async_session(bounded) as session:
                await (await session.connection()).execute(text(statement))
        finally:
            await dbctl.async_dispose()

    begun = time.monotonic()
    with pytest.raises(OutOfTime):
        ask() if driver == "sync" else asyncio.run(ask_async())
    assert time.monotonic() - begun < 10


# --- the ends of a process --------------------------------------------------------------------------------------------


@pytest.fixture
def behind(dbctl: Dbctl, shared_server_database: TestDatabase, own_ssh: str) -> Dbctl:
    """A dbctl whose one profile is behind the bastion."""
    database = shared_server_database
    toml = f'{database.toml}\n[profiles.{database.profile}.tunnel]\nssh = "bastion"\n'
    (dbctl.cwd / "profiles.toml").write_text(toml, encoding="utf-8")
    return dbctl.with_env(**database.env, PATH=own_ssh)


one_database = pytest.mark.parametrize("shared_server_database", ["postgresql"], indirect=True)


@one_database
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_however_dbctl_ends_its_ssh_ends_too(behind: Dbctl, number: signal.Signals) -> None:
    with behind.spawn("exec", "--quiet", "--", "sh", "-c", "echo up; exec sleep 60") as run:
        assert run.stdout
        assert run.stdout.readline() == b"up\n"
        (ssh,) = tunnels_of(run.pid)
        run.send_signal(number)
        run.wait(20)
    assert is_gone(ssh)


@one_database
def test_ctrl_c_leaves_the_tunnel_to_who_rolls_back_through_it(behind: Dbctl) -> None:
    program = "trap 'psql -Atc \"SELECT 40 + 2\"; exit 3' INT; sleep 1; echo up; while :; do sleep 0.2; done"
    result = behind.tty("exec", "--quiet", "--", "sh", "-c", program, keys=[("up", "\x03")])
    assert "42" in result.out
    assert result.code == 3


@one_database
def test_ctrl_c_is_heard_while_a_tunnel_opens(behind: Dbctl) -> None:
    path = behind.cwd / "profiles.toml"
    slow = 'command = ["sh", "-c", "echo begun > begun; exec sleep 60 # {port}"]'
    path.write_text(path.read_text(encoding="utf-8").replace('ssh = "bastion"', slow), encoding="utf-8")
    with behind.spawn("ping") as run:
        assert within(20, (behind.cwd / "begun").exists)
        begun = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        assert time.monotonic() - begun < 2


@one_database
def test_a_bastion_that_is_not_up_yet_is_waited_for(behind: Dbctl, bastion: Bastion) -> None:
    bastion.stop()
    with behind.spawn("ping", "--wait", "60", "--json") as run:
        try:
            assert run.stderr
            assert b"Connection refused; waiting" in run.stderr.readline()
        finally:
            bastion.start()
        assert run.wait(60) == 0


def test_all_that_connects_goes_through_it(behind: Dbctl, shared_server_database: TestDatabase) -> None:
    stages = behind.ok("ping", "--stages", "--json").json["stages"]
    assert stages.pop("tunnel_ms") > 0
    assert stages == {"name_resolution_ms": None, "tcp_ms": None}
    path = behind.cwd / "profiles.toml"
    direct = shared_server_database.toml.replace(f"[profiles.{shared_server_database.profile}", "[profiles.direct")
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{direct}", encoding="utf-8")
    each = behind.ok("ping", "--all", "--stages", "--output", "tsv").out
    assert "stages.tunnel_ms" in each.splitlines()[0]
    path.write_text(path.read_text(encoding="utf-8").replace(direct, ""), encoding="utf-8")
    assert behind.ok("ping", "--driver", "async").code == 0
    assert behind.ok("pool-stats", "--json").code == 0
    assert behind.ok("init-tables", "--lock", "tables").code == 0
    (tls,) = [row["measured"] for row in behind("doctor", "--json").json if row["check"] == "tls"]
    assert tls.endswith("(ssl.mode = verify-full)")


def test_a_program_connects_through_it(behind: Dbctl, shared_server_database: TestDatabase) -> None:
    driver = {"postgresql": "postgresql+psycopg2", "mysql": "mysql+pymysql"}[shared_server_database.dialect]
    result = behind.ok("exec", "--quiet", "--scheme", driver, "--", sys.executable, "-c", ASK)
    assert result.out == "42\n"


CLIENTS = {
    "postgresql": ['psql -At -c "SELECT 42"', 'psql "$DATABASE_URL" -At -c "SELECT 42"'],
    "mariadb": ['mariadb -N -e "SELECT 42"'],
    "mysql": ['mysql -N -e "SELECT 42"'],
}


def test_the_databases_own_client_connects_through_it(behind: Dbctl, shared_server_database: TestDatabase) -> None:
    for line in CLIENTS[shared_server_database.kind]:
        assert behind.ok("exec", "--quiet", "--", "sh", "-c", line).out == "42\n"


def test_plaintext_is_not_said_to_stay_on_this_machine(behind: Dbctl) -> None:
    path = behind.cwd / "profiles.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [
        'mode = "disable"' if line.startswith("mode = ") else line for line in lines if not line.startswith("ca = ")
    ]
    path.write_text("\n".join(kept), encoding="utf-8")
    found = behind("doctor")
    assert "plaintext to a tunnel (ssl.mode = disable)" in found.out
    assert "does not leave this machine" not in found.out
