"""`dbctl shell` by each client that there is: it connects as the profile says or not at all, and shows no secret."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.processes import descendants_of
from tests.harness.result import Result
from tests.servers.authority import Authority
from tests.servers.bastion import Bastion
from tests.servers.system import CLIENTS, UNSTABLE
from tests.servers.tls_stripper import TlsStripper

MACHINES_OWN = os.pathsep.join([os.environ["PATH"], str(CLIENTS)])
PATH = os.pathsep.join([str(UNSTABLE / "usr" / "bin"), MACHINES_OWN])
ALWAYS_THERE = {"psql", "mariadb", "sqlite3"}
"""Those of Debian's packages, which `tests/run` sees to."""

ON = {
    "postgresql": ["psql", "pgcli"],
    "mariadb": ["mariadb", "mysql", "mycli"],
    "mysql": ["mariadb", "mysql", "mycli"],
}
TO_RUN = {
    "psql": ["-At", "-c"],
    "pgcli": ["--less-chatty", "-t", "-c"],
    "mariadb": ["-N", "-e"],
    "mysql": ["-N", "-e"],
    "mycli": ["-e"],
}
"""What a client is told before a statement."""

TLS = {
    "postgresql": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SHOW STATUS LIKE 'Ssl_version'",
}
SLEEP = {"postgresql": "SELECT pg_sleep(30)", "mysql": "SELECT SLEEP(30)"}
SLEEPERS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND datname = ?",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%' AND db = ?",
}


def required(client: str, path: str = PATH) -> None:
    """Skip the test where there is no such client."""
    if shutil.which(client, path=path) is None:
        if client in ALWAYS_THERE and os.environ.get("CI") == "true":
            pytest.fail(f"there is no {client}")
        pytest.skip(f"there is no {client}")


@dataclass(frozen=True)
class Shell:
    """A client on a database, whose profile verifies in full."""

    client: str
    database: TestDatabase
    dbctl: Dbctl

    @property
    def password(self) -> str:
        assert self.database.server
        return self.database.server.app_password

    def words(self, statement: str) -> list[str]:
        return ["shell", "--quiet", "--client", self.client, "--", *TO_RUN[self.client], statement]

    def __call__(self, statement: str, *options: str, **changes: str) -> Result:
        """Run a statement; changes are made to what the profile says, by the words that stand there."""
        self.configure(**changes)
        first, *rest = self.words(statement)
        return self.dbctl(first, *options, *rest, timeout=60)

    def configure(self, **changes: str) -> None:
        toml = self.database.toml
        for before, after in changes.items():
            assert before in toml
            toml = toml.replace(before, after)
        (self.dbctl.cwd / "profiles.toml").write_text(f'default = "{self.database.profile}"\n\n{toml}')


@pytest.fixture(params=[f"{client}-on-{kind}" for kind, clients in ON.items() for client in clients])
def shell(request: pytest.FixtureRequest, dbctl: Dbctl) -> Shell:
    """Each client on each server that it is made for."""
    client, _, kind = request.param.partition("-on-")
    # MySQL 9's own client can't log in by what MariaDB's accounts have, `mysql_native_password`; Debian's `mysql` can.
    path = MACHINES_OWN if kind == "mariadb" else PATH
    required(client, path)
    database = request.getfixturevalue("postgres_database" if kind == "postgresql" else f"{kind}_database")
    return Shell(client, database, dbctl.with_env(**database.env, PATH=path))


def test_it_connects_with_the_profiles_tls_and_database(shell: Shell) -> None:
    assert "TLSv1" in shell(TLS[shell.database.dialect]).out
    function = "current_database()" if shell.database.dialect == "postgresql" else "database()"
    result = shell(f"SELECT {function}")
    assert shell.database.name in result.out, str(result)
    assert result.code == 0


def test_a_server_of_another_authority_is_refused(shell: Shell, authority: Authority) -> None:
    assert shell.database.server
    result = shell("SELECT 42", **{str(shell.database.server.ca): str(authority.wrong_ca)})
    assert "42\n" not in result.out.replace(" ", ""), str(result)
    assert result.code != 0
    assert "certificate" in f"{result.out}{result.err}".lower()


def test_a_server_of_another_name_is_refused(shell: Shell, authority: Authority) -> None:
    assert shell.database.server
    with shell.database.server.presenting(authority.elsewhere):
        result = shell("SELECT 42")
    assert result.code != 0, str(result)


def test_what_insists_on_tls_sends_no_password_without_it(shell: Shell) -> None:
    assert shell.database.server
    changes = {'mode = "verify-full"': 'mode = "require"', f'ca = "{shell.database.server.ca}"': ""}
    with TlsStripper(shell.database.dialect, shell.database.server.port) as stripper:
        result = shell("SELECT 42", **changes, **{f"port = {shell.database.server.port}": f"port = {stripper.port}"})
        assert result.code != 0, str(result)
        assert shell.password.encode() not in stripper.received
        assert shell.database.name.encode() not in stripper.received


def test_no_argument_and_no_variable_has_the_password(shell: Shell) -> None:
    shell.configure()
    with shell.dbctl.spawn(*shell.words(SLEEP[shell.database.dialect])) as process:
        try:
            count = SLEEPERS[shell.database.dialect]
            assert within(30, lambda: shell.database.execute(count, shell.database.name)[0][0] == 1)
            below = list(descendants_of(process.pid))
            assert below
            for pid in (process.pid, *below):
                assert shell.password not in Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            for pid in below:
                assert shell.password not in Path(f"/proc/{pid}/environ").read_bytes().decode()
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert process.returncode == 143


def test_read_only_is_what_the_database_refuses_to_write_by(shell: Shell) -> None:
    shell.database.execute("CREATE TABLE note (id INTEGER)")
    shell("INSERT INTO note VALUES (1)", "--read-only")
    assert shell.database.execute("SELECT count(*) FROM note")[0][0] == 0
    shell("INSERT INTO note VALUES (2)")
    assert shell.database.execute("SELECT id FROM note")[0][0] == 2


def test_a_statement_ends_at_the_profiles_timeout(shell: Shell) -> None:
    began = time.monotonic()
    result = shell(
        SLEEP[shell.database.dialect], **{"\npassword_env": "\nstatement_timeout = 2\nlock_timeout = 3\npassword_env"}
    )
    assert time.monotonic() - began < 20, str(result)


@pytest.mark.usefixtures("bastion")
def test_it_goes_through_the_tunnel(shell: Shell, bastion: Bastion, tmp_path: Path) -> None:
    path = os.pathsep.join([str(bastion.ssh(tmp_path)), shell.dbctl.env["PATH"]])
    tunnelled = Shell(shell.client, shell.database, shell.dbctl.with_env(PATH=path))
    password = "\npassword_env"
    result = tunnelled(TLS[shell.database.dialect], **{password: f'\ntunnel.ssh = "bastion"{password}'})
    if shell.database.dialect == "postgresql":
        assert "TLSv1" in result.out, str(result)
        return
    assert result.code == 3
    assert f"through a tunnel {shell.client} can't verify the server's own name" in result.err
    changes = {'mode = "verify-full"': 'mode = "verify-ca"', password: f'\ntunnel.ssh = "bastion"{password}'}
    assert "TLSv1" in tunnelled(TLS[shell.database.dialect], **changes).out
