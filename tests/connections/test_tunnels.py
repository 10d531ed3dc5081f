"""A database behind a bastion is reached as any other, by the name that its certificate has, and by no other."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbctl.errors import ConfigError, ConnectError
from dbctl.probe import PingReport, async_ping, ping
from dbctl.profiles import Profile
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.authority import Authority
from tests.servers.bastion import Bastion, tunnels_of
from tests.servers.system import free_port

Look = Callable[[Profile], PingReport]
REFUSED = r"tunnel failed: channel \d+: open failed: connect failed: Connection refused"


@pytest.fixture(params=["sync", "async"])
def look(request: pytest.FixtureRequest) -> Look:
    """Ping by the sync driver and by the async one."""
    return ping if request.param == "sync" else lambda profile: asyncio.run(async_ping(profile))


@pytest.fixture
def ssh(bastion: Bastion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's ssh knows the host `bastion`."""
    monkeypatch.setenv("PATH", f"{bastion.ssh(tmp_path)}:{os.environ['PATH']}")


def behind(database: TestDatabase, **changes: Any) -> Profile:
    """Return the database's profile, through the bastion."""
    return profile_of(database, {"tunnel.ssh": "bastion", **changes})


@pytest.mark.usefixtures("ssh")
def test_a_database_is_reached_through_ssh_with_its_tls(shared_server_database: TestDatabase, look: Look) -> None:
    assert look(behind(shared_server_database)).encrypted is True
    assert tunnels_of(os.getpid()) == []


def pretending(bastion: Bastion, directory: Path) -> dict[str, Any]:
    """Return a profile's tunnel to this machine's loopback, whatever the host's name is: a name that only it knows."""
    forward = "127.0.0.1:{port}:127.0.0.1:{remote_port}"
    return {"tunnel.command": ["ssh", "-F", str(bastion.config(directory)), "-N", "-L", forward, "bastion"]}


def test_the_databases_own_name_is_what_its_certificate_has_to_have(
    shared_server_database: TestDatabase, authority: Authority, bastion: Bastion, look: Look, tmp_path: Path
) -> None:
    database = shared_server_database
    assert database.server
    tunnel = pretending(bastion, tmp_path)
    with database.server.presenting(authority.elsewhere):
        assert look(profile_of(database, {"host": "database.example", **tunnel})).encrypted
        with pytest.raises(ConnectError) as caught:
            look(profile_of(database, {"host": "localhost", **tunnel}))
        assert caught.value.stage == "TLS"
    with pytest.raises(ConnectError) as caught:
        look(profile_of(database, {"host": "database.example", **tunnel}))
    assert caught.value.stage == "TLS"


@pytest.mark.usefixtures("ssh")
@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_certificate_by_another_authority_is_refused_through_a_tunnel(
    shared_server_database: TestDatabase, authority: Authority, look: Look, mode: str
) -> None:
    with pytest.raises(ConnectError) as caught:
        look(behind(shared_server_database, **{"ssl.mode": mode, "ssl.ca": str(authority.wrong_ca)}))
    assert caught.value.stage == "TLS"


@pytest.mark.usefixtures("ssh")
def test_a_wrong_password_is_said_as_ever(shared_server_database: TestDatabase, look: Look) -> None:
    with pytest.raises(ConnectError) as caught:
        look(behind(shared_server_database, password="wrong"))
    assert caught.value.stage == "login"


@pytest.mark.usefixtures("ssh")
def test_what_the_far_end_says_is_told(shared_server_database: TestDatabase, look: Look) -> None:
    with pytest.raises(ConnectError, match=REFUSED) as caught:
        look(behind(shared_server_database, port=1))
    assert (caught.value.stage, caught.value.transient) == ("tunnel", True)


@pytest.mark.parametrize("shared_server_database", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"IdentityFile": "other_key"}, "Permission denied"),
        ({"UserKnownHostsFile": "/dev/null"}, "Host key verification failed"),
    ],
)
def test_what_no_waiting_heals_is_said_with_what_to_try(
    shared_server_database: TestDatabase,
    bastion: Bastion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    look: Look,
    settings: dict[str, str],
    words: str,
) -> None:
    found = {key: str(bastion.path(value)) if "/" not in value else value for key, value in settings.items()}
    monkeypatch.setenv("PATH", f"{bastion.ssh(tmp_path, **found)}:{os.environ['PATH']}")
    with pytest.raises(ConnectError, match=f"tunnel failed: ssh has ended with exit code 255: .*{words}") as caught:
        look(behind(shared_server_database))
    assert (caught.value.stage, caught.value.transient) == ("tunnel", False)
    assert caught.value.hint == "try it by itself: ssh bastion"


@pytest.mark.parametrize("shared_server_database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("tunnel", [{"tunnel.ssh": "bastion"}, {"tunnel.command": ["ssh", "-L{port}:x:1", "bastion"]}])
def test_a_program_that_is_not_there_is_a_matter_of_the_configuration(
    shared_server_database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: Look, tunnel: Any
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (key,) = tunnel
    with pytest.raises(ConfigError, match=f"the test: {key}: can't run ssh: No such file or directory"):
        look(profile_of(shared_server_database, tunnel))


@pytest.mark.parametrize("shared_server_database", ["postgresql"], indirect=True)
def test_what_a_command_says_last_is_told_without_what_a_terminal_would_obey(
    shared_server_database: TestDatabase, look: Look
) -> None:
    script = r"printf 'first\n\033[31mno pod \007named that\n' >&2; exit 3 # {port}"
    with pytest.raises(ConnectError, match=r"tunnel failed: sh has ended with exit code 3: \[31mno pod named that$"):
        look(profile_of(shared_server_database, {"tunnel.command": ["sh", "-c", script]}))


@pytest.mark.parametrize("shared_server_database", ["postgresql"], indirect=True)
def test_the_password_is_not_told_though_a_command_tells_it(shared_server_database: TestDatabase, look: Look) -> None:
    tunnel = {"tunnel.command": ["sh", "-c", "echo the password is canary-pw >&2; exit 3 # {port}"]}
    with pytest.raises(ConnectError, match=r"the password is \*+$"):
        look(profile_of(shared_server_database, {"password": "canary-pw", **tunnel}))


@pytest.mark.parametrize("shared_server_database", ["postgresql"], indirect=True)
def test_a_tunnel_that_never_opens_is_given_up_in_time(shared_server_database: TestDatabase, look: Look) -> None:
    profile = profile_of(shared_server_database, {"tunnel.command": ["sleep", "60{port}"], "connect_timeout": 1})
    with pytest.raises(ConnectError, match="tunnel failed: sleep has not opened it in time") as caught:
        look(profile)
    assert caught.value.transient


@pytest.mark.parametrize("shared_server_database", ["postgresql"], indirect=True)
def test_a_port_that_another_process_has_taken_is_not_taken_for_the_tunnel(
    shared_server_database: TestDatabase, bastion: Bastion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def offer() -> int:
            offered.append(free_port() if offered else taken.getsockname()[1])
            return offered[-1]

        monkeypatch.setattr("dbctl.runtime.tunnels.free_port", offer)
        monkeypatch.setenv("PATH", f"{bastion.ssh(tmp_path)}:{os.environ['PATH']}")
        assert ping(behind(shared_server_database)).encrypted
        taken.setblocking(False)
        with pytest.raises(BlockingIOError):
            taken.accept()
    assert len(offered) == 2


@pytest.mark.usefixtures("ssh")
@pytest.mark.parametrize("shared_server_database", ["postgresql"], indirect=True)
def test_a_password_file_is_searched_for_the_databases_own_place(
    shared_server_database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: Look
) -> None:
    server = shared_server_database.server
    assert server
    written = server.app_password.replace("\\", "\\\\").replace(":", "\\:")
    path = tmp_path / "pgpass"
    path.touch(0o600)
    others = f"127.0.0.1:*:*:*:wrong\nlocalhost:1:*:*:wrong\n#localhost:*:*:*:wrong\n\nlocalhost:{server.port}:*\n"
    path.write_text(f"{others}localhost:{server.port}:*:{server.app_user}:{written}\n", encoding="utf-8")
    monkeypatch.setenv("PGPASSFILE", str(path))
    unnamed = behind(shared_server_database, password=None)
    assert look(unnamed).encrypted
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others can read"):
        look(unnamed)


@pytest.mark.usefixtures("ssh")
@pytest.mark.parametrize("mode", ["prefer", "disable", "require"])
def test_other_modes_of_tls_go_through_it_too(shared_server_database: TestDatabase, look: Look, mode: str) -> None:
    assert look(behind(shared_server_database, **{"ssl.mode": mode})).encrypted is (mode != "disable")
    with pytest.raises(ConnectError, match=REFUSED):
        look(behind(shared_server_database, **{"ssl.mode": mode, "port": 1}))
