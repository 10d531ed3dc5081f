"""Several hosts of one database: which of them is taken, and why the others were not."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dbctl import probe
from dbctl.backends import backend_of
from dbctl.errors import ConfigError, ConnectError, WorkRefused
from dbctl.profiles import Profile
from tests.faults.pairs import Pair, address, mariadb_pair, server_of
from tests.faults.units import Units, insert, units
from tests.harness.cli import Dbctl
from tests.harness.forked import Forked
from tests.harness.profile import engine_of, profile_at
from tests.servers.authority import Authority
from tests.servers.system import free_port


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def silent() -> Iterator[str]:
    """Where connections are accepted by nobody, and nothing is ever answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def ping(profile: Profile, asynchronous: bool) -> probe.PingReport:
    return asyncio.run(probe.async_ping(profile)) if asynchronous else probe.ping(profile)


def test_the_host_that_is_wanted_is_taken_and_told(pair: Pair, asynchronous: bool) -> None:
    closed = f"127.0.0.1:{free_port()}"
    for target, wanted, role in (
        ("primary", pair.primary, "primary"),
        ("standby", pair.standby, "standby"),
        ("any", pair.standby, "standby"),
    ):
        found = ping(pair.profile(closed, target=target), asynchronous)
        assert (f"{found.host}:{found.port}", found.role) == (address(wanted), role), target


def test_each_host_is_named_with_why_it_was_not_taken(pair: Pair, silent: str, asynchronous: bool) -> None:
    closed = f"127.0.0.1:{free_port()}"
    hosts = (closed, silent, address(pair.standby))
    with pytest.raises(ConnectError) as caught:
        ping(pair.profile(hosts=hosts, target="primary", connect_timeout=3.0), asynchronous)
    told = caught.value.message
    assert "no host is a primary that answers: " in told
    assert caught.value.transient
    for host, reason in zip(
        hosts, ("refused|Connect call failed", "answer within|timeout", "it is a standby"), strict=True
    ):
        [said] = [part for part in told.split("; ") if f"{host}: " in part]
        assert any(word in said for word in reason.split("|")), said


def test_a_login_that_is_refused_is_tried_on_no_other_host(pair: Pair, asynchronous: bool) -> None:
    with pytest.raises(ConnectError, match=address(pair.standby)) as caught:
        ping(pair.profile(user="nobody"), asynchronous)
    assert (caught.value.stage, caught.value.transient) == ("login", False)
    assert address(pair.primary) not in caught.value.message


def test_the_name_that_is_verified_is_that_of_the_host_connected_to(
    pair: Pair, authority: Authority, asynchronous: bool
) -> None:
    with server_of(pair.standby).presenting(authority.elsewhere):
        assert ping(pair.profile(), asynchronous).port == server_of(pair.primary).port
        with pytest.raises(ConnectError, match=f"{address(pair.standby)}: TLS failed"):
            ping(pair.profile(target="standby"), asynchronous)


@pytest.fixture(scope="module")
def swapping(authority: Authority) -> Iterator[Pair]:
    with mariadb_pair(authority) as found:
        server_of(found.primary).execute("CREATE TABLE pair.t (x INTEGER PRIMARY KEY)")
        yield found


def swap(pair: Pair) -> Pair:
    """Have the two servers change their parts, and leave the connections to them open."""
    server_of(pair.primary).execute("SET GLOBAL read_only = 1")
    server_of(pair.standby).execute("SET GLOBAL read_only = 0")
    return Pair(pair.standby, pair.primary)


def where(opened: Units) -> Any:
    return opened.run(lambda session: session.execute(text("SELECT @@port")).scalar())


@pytest.mark.parametrize("pre_ping", [True, False])
def test_a_connection_whose_server_has_become_a_standby_is_replaced(
    swapping: Pair, asynchronous: bool, pre_ping: bool
) -> None:
    now = swapping
    changes = {"target": "primary", "pool.pre_ping": pre_ping, "pool.size": 1, "pool.max_overflow": 0}
    with units(now.profile(**changes), asynchronous) as opened:
        assert where(opened) == server_of(now.primary).port
        now = swap(now)
        try:
            if not pre_ping:
                with pytest.raises(WorkRefused, match="read-only"):
                    opened.run(lambda session: insert(session, 1))
            assert where(opened) == server_of(now.primary).port
        finally:
            swap(now)


def test_what_runs_is_ended_on_the_host_that_it_runs_on(swapping: Pair) -> None:
    profile = swapping.profile(target="primary")  # the second of the two
    with engine_of(profile) as engine, engine.connect() as connection:
        cancel = backend_of(profile).canceller(connection.connection.driver_connection)
        timer = threading.Timer(0.2, cancel)
        timer.start()
        with pytest.raises(OperationalError, match="interrupted"):
            connection.exec_driver_sql("SELECT SLEEP(60)")
        timer.join()


def test_programs_are_led_to_the_same_host(pair: Pair, dbctl: Dbctl, tmp_path: Path) -> None:
    for target, wanted in (("primary", pair.primary), ("standby", pair.standby)):
        found = backend_of(pair.profile(target=target)).client_environment(tmp_path)
        if wanted.dialect == "mysql":
            assert found["MYSQL_TCP_PORT"] == str(server_of(wanted).port)
        else:
            assert found["PGPORT"] == f"{server_of(pair.standby).port},{server_of(pair.primary).port}"
            assert found["PGTARGETSESSIONATTRS"] == target
    hosts = [address(pair.standby), address(pair.primary)]
    lines = [line for line in pair.primary.toml.splitlines() if not line.startswith(("host = ", "port = "))]
    lines.insert(1, f'hosts = {hosts}\ntarget = "standby"')
    (dbctl.cwd / "profiles.toml").write_text("\n".join(lines))
    shown = Forked(cwd=dbctl.cwd, home=dbctl.home, env=pair.primary.env)
    assert shown.ok("ping", "--json").json["role"] == "standby"
    for host in hosts:
        assert host in shown.ok("profiles", "show", pair.primary.profile).out


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"host": "c"}, "hosts: there is a host too"),
        ({"hosts": ("a:x",)}, "hosts: a host has no name, or its port is no number"),
        ({"hosts": ("a", "")}, "hosts: a host has no name"),
        ({"target": "master"}, 'target = "master": allowed is any, primary or standby'),
        ({"target": "primary", "query": {"target_session_attrs": "any"}}, "target: beside query.target_session_attrs"),
        ({"tunnel.ssh": "bastion"}, "tunnel.ssh: a tunnel leads to one host"),
    ],
)
def test_what_several_hosts_can_not_be_is_said(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        backend_of(profile_at("postgresql:///d", {"hosts": ("a", "b")} | changes))
