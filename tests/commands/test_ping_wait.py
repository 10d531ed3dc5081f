"""`dbctl ping --wait`: what can heal is waited for, what can't is told at once, and the time has an end."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.commands.test_ping import SERVERS, rewrite
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.sample import Sample
from tests.servers.authority import Authority
from tests.servers.system import free_port

SCHEMES = pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
DRIVERS = pytest.mark.parametrize("driver", ["sync", "async"])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of a listener that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that does not even take connections: its queue is full, and the kernel drops what comes then."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            sock = held.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def on_profiles(dbctl: Dbctl, toml: str) -> Forked:
    (dbctl.cwd / "profiles.toml").write_text(toml, encoding="utf-8")
    return Forked(cwd=dbctl.cwd, home=dbctl.home)


def on_database(dbctl: Dbctl, database: TestDatabase, changes: str = "") -> Forked:
    """Return dbctl with the database as its default profile; `changes` are lines of its table, before the others."""
    heading = f"[profiles.{database.profile}]\n"
    toml = f'default = "{database.profile}"\n{database.toml.replace(heading, heading + changes)}'
    (dbctl.cwd / "profiles.toml").write_text(toml, encoding="utf-8")
    return Forked(cwd=dbctl.cwd, home=dbctl.home, env=database.env)


# --- what can heal ----------------------------------------------------------------------------------------------------


@DRIVERS
def test_a_server_that_is_not_up_yet_is_waited_for_and_that_is_said_once(
    dbctl: Dbctl, server_database: TestDatabase, driver: str
) -> None:
    run = on_database(dbctl, server_database)
    assert server_database.server
    with server_database.server.stopped():
        waiting = run.start("ping", "--wait", "60", "--driver", driver, "--json")
        time.sleep(1.5)  # for several tries
    result = waiting()
    assert (result.code, result.json["profile"]) == (0, server_database.profile), str(result)
    refused = [line for line in result.err.splitlines() if ": TCP failed: " in line]
    assert len(refused) == 1
    assert refused[0].endswith("; waiting")


def test_a_server_that_takes_no_logins_yet_is_waited_for(dbctl: Dbctl, postgres_database: TestDatabase) -> None:
    server, run = postgres_database.server, on_database(dbctl, postgres_database)
    assert server
    server.stop()
    signal_file = server.directory / "data" / "standby.signal"
    try:
        # A standby that waits for its primary, and lets nobody in until then, says what a server says that starts.
        server.body.give("data/standby.signal", b"")
        server.body.start([*server.command(), "-c", "hot_standby=off", "-c", "restore_command=false"])
        waiting = run.start("ping", "--wait", "60", "--json")
        assert within(30, lambda: ": login failed: " in waiting.said)
    finally:
        server.stop("immediate")
        signal_file.unlink()
        server.start()
    result = waiting()
    assert (result.code, result.json["profile"]) == (0, "pg"), str(result)
    assert ": login failed: " in result.err
    assert "the database system is" in result.err


def test_a_free_place_is_waited_for_where_there_are_too_many_connections(
    dbctl: Dbctl, server_database: TestDatabase
) -> None:
    server = server_database.server
    assert server
    server.create_role("lonely", "secret", connections=1)
    try:
        table = f'driver = "{server.dialect}"\nhost = "localhost"\nport = {server.port}\nuser = "lonely"\n'
        run = on_profiles(dbctl, f'default = "x"\n[profiles.x]\n{table}database = "{_open_to_all(server.dialect)}"\n'
                          'password_env = "LONELY"\n').with_env(LONELY="secret")  # fmt: skip
        with contextlib.closing(
            server.connect(user="lonely", password="secret", database=_open_to_all(server.dialect))
        ):
            full = run("ping")
            waiting = run.start("ping", "--wait", "60")
            while "; waiting\n" not in waiting.said:
                time.sleep(0.05)
        waited = waiting()
    finally:
        server.drop_role("lonely")
    assert (full.code, full.out) == (4, "")
    assert "profile x: login failed: " in full.err
    assert waited.code == 0, str(waited)
    assert waited.err.count("; waiting\n") == 1


def _open_to_all(kind: str) -> str:
    return {"postgresql": "postgres", "mysql": "information_schema"}[kind]


# --- what can't -------------------------------------------------------------------------------------------------------


@SERVERS
@pytest.mark.parametrize("wrong", ["authority", "password", "database"])
def test_what_can_not_heal_is_told_at_once(sample: Sample, authority: Authority, wrong: str) -> None:
    env: dict[str, str] = {}
    if wrong == "authority":
        rewrite(sample, str(authority.ca), str(authority.wrong_ca))
    elif wrong == "database":
        rewrite(sample, 'database = "', 'database = "no')
    else:
        env = dict.fromkeys(sample.database.env, "wr0ng")
    result = sample.dbctl("ping", "--wait", "300", env=env)  # and not killed after a minute
    stage = {"authority": "TLS", "password": "login", "database": "database"}[wrong]
    assert (result.code, result.out) == (4, ""), str(result)
    assert result.err.startswith(f"dbctl: error: profile {sample.database.profile}: {stage} failed: ")
    assert result.err.count("\n") == 1


def test_tls_that_is_required_and_not_offered_is_told_at_once(dbctl: Dbctl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse_tls() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as sock:
                        sock.recv(8)
                        sock.sendall(b"N")

        threading.Thread(target=refuse_tls, daemon=True).start()
        url = f"postgresql://app@127.0.0.1:{listener.getsockname()[1]}/x"
        run = on_profiles(dbctl, f'default = "x"\n[profiles.x]\nurl = "{url}"\n[profiles.x.ssl]\nmode = "require"\n')
        result = run("ping", "--wait", "300")
    assert result.code == 4, str(result)
    assert "profile x: TLS failed: " in result.err


@DRIVERS
def test_a_file_that_the_first_to_write_makes_is_not_waited_for(dbctl: Dbctl, driver: str) -> None:
    run = on_profiles(dbctl, '[profiles.x]\nurl = "sqlite:///no.db"\n')
    assert run.ok("ping", "-p", "x", "--wait", "300", "--driver", driver, "--json").json["server"] == "SQLite"
    assert not (dbctl.cwd / "no.db").exists()
    assert run("ping", "-p", "x", "--driver", driver).code == 4


def test_a_directory_that_is_not_there_is_not_waited_for(dbctl: Dbctl) -> None:
    run = on_profiles(dbctl, '[profiles.x]\nurl = "sqlite:///no/no.db"\n')
    assert run("ping", "-p", "x", "--wait", "300").code == 4


# --- the end of the time ----------------------------------------------------------------------------------------------


@SCHEMES
@DRIVERS
def test_the_end_of_the_time_names_what_failed_last(dbctl: Dbctl, scheme: str, driver: str) -> None:
    run = on_profiles(dbctl, f'default = "x"\n[profiles.x]\nurl = "{scheme}://app@127.0.0.1:{free_port()}/x"\n')
    start = time.monotonic()
    result = run("ping", "--wait", "1", "--driver", driver)
    assert (result.code, result.out) == (5, ""), str(result)
    said, error = result.err.splitlines()
    assert said.startswith("dbctl: profile x: TCP failed: ")
    assert error.startswith("dbctl: error: waited 1 s in vain: profile x: TCP failed: ")
    assert 0.5 < time.monotonic() - start < 10


@SCHEMES
@DRIVERS
def test_the_silence_of_a_last_short_try_does_not_hide_what_failed(dbctl: Dbctl, scheme: str, driver: str) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        run = on_profiles(dbctl, f'[profiles.x]\nurl = "{scheme}://app@127.0.0.1:{server.getsockname()[1]}/x"\n')
        with run.popen("-p", "x", "ping", "--wait", "1.8", "--driver", driver) as process:
            assert process.stderr
            assert ": TCP failed: " in process.stderr.readline()
            server.listen()  # and never says a word
            error = process.stderr.read()
    assert error.startswith("dbctl: error: waited 1.8 s in vain: profile x: TCP failed: "), error


@SCHEMES
@DRIVERS
def test_the_try_under_way_ends_with_the_time(dbctl: Dbctl, silent_port: int, scheme: str, driver: str) -> None:
    url = f"{scheme}://app@127.0.0.1:{silent_port}/x"
    run = on_profiles(dbctl, f'default = "x"\n[profiles.x]\nurl = "{url}"\nconnect_timeout = 50\n')
    start = time.monotonic()
    result = run("ping", "--wait", "4", "--driver", driver)
    stage = {"postgresql": "TLS", "mysql": "login"}[scheme]
    assert result.code == 5, str(result)
    said, error = result.err.splitlines()  # said once, though each try has less time
    assert said.startswith(f"dbctl: profile x: {stage} failed: no answer within ")
    assert error.startswith(f"dbctl: error: waited 4 s in vain: profile x: {stage} failed: no answer within ")
    assert time.monotonic() - start < 15


# --- without --wait ---------------------------------------------------------------------------------------------------


@DRIVERS
def test_a_frozen_server_is_given_up_in_time(dbctl: Dbctl, server_database: TestDatabase, driver: str) -> None:
    run = on_database(dbctl, server_database, "connect_timeout = 1\n")
    assert server_database.server
    with server_database.server.frozen():
        start = time.monotonic()
        result = run("ping", "--driver", driver)
        assert time.monotonic() - start < 6
    stage = {"postgresql": "TLS", "mysql": "login"}[server_database.dialect]
    assert result.code == 4, str(result)
    assert f": {stage} failed: no answer within 1 s" in result.err


@SCHEMES
@DRIVERS
@pytest.mark.parametrize("place", ["silent_port", "black_hole", "silent_hosts"])
def test_a_server_that_never_answers_is_given_up_in_time(
    dbctl: Dbctl, silent_port: int, black_hole: int, scheme: str, driver: str, place: str
) -> None:
    url = f"{scheme}://app@127.0.0.1:{silent_port if place == 'silent_port' else black_hole}/x"
    if place == "silent_hosts":
        if scheme == "mysql":
            pytest.skip("only PostgreSQL's drivers try several hosts")
        url = f"{scheme}://app@/x?" + "&".join([f"host=127.0.0.1:{silent_port}"] * 3)
    run = on_profiles(dbctl, f'default = "x"\n[profiles.x]\nurl = "{url}"\nconnect_timeout = 1\n')
    start = time.monotonic()
    result = run("ping", "--driver", driver)
    stage = "TCP" if place == "black_hole" else {"postgresql": "TLS", "mysql": "login"}[scheme]
    assert result.code == 4, str(result)
    assert f"profile x: {stage} failed: no answer within 1 s" in result.err
    assert time.monotonic() - start < 6
