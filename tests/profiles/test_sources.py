"""Where a password may come from, and who may see where it lies."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from dbctl.errors import ConfigError
from dbctl.profiles import Profiles, password_of, secrets
from dbctl.runtime import machine
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.files import private
from tests.harness.forked import of_tests
from tests.profiles.loading import CANARY, ProfileFile

POSTGRES = 'url = "postgresql://user@host/db"\n'


def running(script: str) -> str:
    """Return the line of a profile that has Python run a script for its password."""
    return f"{POSTGRES}password_command = {json.dumps([sys.executable, '-c', script])}"


def refused(lines: str, profile_file: ProfileFile) -> str:
    with pytest.raises(ConfigError) as caught:
        password_of(profile_file.profile(lines))
    message = str(caught.value)
    assert message.startswith(f"{profile_file.path} [profiles.p]: password_")
    assert "\n" not in message
    return message


# --- a program --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["secret", "secret\n", "secret\nsecond line\n"])
def test_a_programs_first_line_is_the_password(written: str, profile_file: ProfileFile) -> None:
    assert password_of(profile_file.profile(running(f"print({written!r}, end='')"))) == "secret"


def test_a_program_gets_its_arguments_as_they_are_and_no_shell(profile_file: ProfileFile) -> None:
    argument = "$HOME `id` ; * 'x' \"y\""
    words = [sys.executable, "-c", "import sys; print(sys.argv[1])", argument]
    assert password_of(profile_file.profile(f"{POSTGRES}password_command = {json.dumps(words)}")) == argument


def test_what_a_failed_program_says_is_told_but_not_what_it_wrote(profile_file: ProfileFile) -> None:
    script = f"import sys; print('{CANARY}'); sys.exit('the vault\\nis sealed')"
    message = refused(running(script), profile_file)
    assert message.endswith("failed with exit code 1: the vault is sealed")
    assert CANARY not in message


def test_a_program_that_takes_too_long_is_ended(profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "COMMAND_TIMEOUT", 0.2)
    script = f"import time; print('{CANARY}', flush=True); time.sleep(60)"
    message = refused(running(script), profile_file)
    assert message.endswith("took longer than 0.2 s")
    assert CANARY not in message


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_program_does_not_outlive_a_dbctl_that_is_ended(dbctl: Dbctl, driver: str) -> None:
    words = ["sh", "-c", "echo $$ >number; mv number pid; exec sleep 60"]
    lines = f"[profiles.p]\n{POSTGRES}connect_timeout = 60\npassword_command = {json.dumps(words)}\n"
    private(dbctl.cwd / "profiles.toml").write_text(lines)
    run, pid = dbctl.popen("-p", "p", "ping", "--driver", driver), dbctl.cwd / "pid"
    wait_until(pid.exists)
    run.terminate()
    assert run.wait(20) == 143
    wait_until(lambda: has_ended(int(pid.read_text())))


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or nobody has yet asked how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (running("pass"), "is empty"),
        (running("import sys; sys.stdout.buffer.write(b'\\xfc')"), "is not UTF-8 text"),
        (f'{POSTGRES}password_command = ["/nowhere/vault"]', "can't run /nowhere/vault: No such file or directory"),
        (f'{POSTGRES}password_command = ["a\\u0000b"]', "null byte"),
    ],
)
def test_a_program_that_gives_no_password(lines: str, said: str, profile_file: ProfileFile) -> None:
    assert said in refused(lines, profile_file)


@pytest.mark.parametrize("value", ['"pass show db"', "[]", "[1]"])
def test_a_program_is_a_list_of_words_never_a_line_for_a_shell(value: str, profile_file: ProfileFile) -> None:
    assert "password_command" in profile_file.error(f"{POSTGRES}password_command = {value}")


# --- the keyring ------------------------------------------------------------------------------------------------------


class Memory(keyring.backend.KeyringBackend):
    """A keyring of one password."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise keyring.errors.KeyringLocked("it is locked")
        return {("shop", "user"): "secret"}.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.PasswordSetError("it can only be read")


@pytest.fixture
def memory() -> Iterator[None]:
    """Make it this process's keyring."""
    before = keyring.get_keyring()
    keyring.set_keyring(Memory())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("memory")
def test_the_keyring_has_the_password_of_the_service_and_the_user(profile_file: ProfileFile) -> None:
    assert password_of(profile_file.profile(f'{POSTGRES}password_keyring = "shop"')) == "secret"


@pytest.mark.usefixtures("memory")
def test_a_keyring_without_it_is_told_with_what_to_do(profile_file: ProfileFile) -> None:
    message = refused(f'{POSTGRES}password_keyring = "store"', profile_file)
    assert message.endswith('has no password of user "user" for "store"; store it: keyring set store user')
    assert refused(f'{POSTGRES}password_keyring = "locked"', profile_file).endswith("it is locked")


def test_without_the_extra_it_says_what_to_install(profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    message = refused(f'{POSTGRES}password_keyring = "shop"', profile_file)
    assert message.endswith('keyring is not installed; pip install "sqlmodel-dbctl[keyring]"')


# --- PostgreSQL's own file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_where_no_source_is_named_postgresqls_own_file_is_one(
    dbctl: Dbctl, postgres_database: TestDatabase, driver: str
) -> None:
    assert postgres_database.server
    toml = re.sub("(?m)^password_env = .*$", 'user = "pgpass"', re.sub("(?m)^user = .*\n", "", postgres_database.toml))
    (dbctl.cwd / "profiles.toml").write_text(toml)
    postgres_database.server.create_role("pgpass", "a b%@/")
    private(dbctl.cwd / "pgpass").write_text("*:*:*:pgpass:a b%@/\n")
    env = {"PGPASSFILE": str(dbctl.cwd / "pgpass")}
    line = ("--profile", postgres_database.profile, "ping", "--driver", driver)
    try:
        assert dbctl.ok(*line, env=env)
        assert dbctl(*line).code == 4
    finally:
        postgres_database.server.drop_role("pgpass")


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_the_password_can_be_asked_for_on_a_terminal_alone(dbctl: Dbctl, server_database: TestDatabase) -> None:
    [(variable, password)] = server_database.env.items()
    (dbctl.cwd / "profiles.toml").write_text(server_database.toml)
    keys = [("Password of profile", f"{password}\n")]
    shown = dbctl.tty("--profile", server_database.profile, "--ask-password", "ping", keys=keys)
    assert shown.code == 0, shown.plain
    assert f"Password of profile {server_database.profile}: " in shown.plain
    assert password not in shown.plain
    piped = dbctl("--profile", server_database.profile, "--ask-password", "ping")
    assert piped.code == 2
    assert "there is no terminal to ask on" in piped.err
    assert variable not in piped.err


# --- who may see it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620])
def test_a_password_file_that_others_can_read_or_change(mode: int, profile_file: ProfileFile) -> None:
    path = profile_file.path.parent / "pw"
    path.write_text("secret\n")
    path.chmod(mode)
    message = refused(f'{POSTGRES}password_file = "pw"', profile_file)
    assert f"others can read or change {path} (mode {mode:04o}); chmod 6" in message


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{CANARY}@h/d",
        f"mysql://u@h/d?password={CANARY}",
        f"postgresql://u@h/d?sslpassword={CANARY}",
        f"postgresql://u:{CANARY}${{MORE}}@h/d",
    ],
)
@pytest.mark.parametrize("table", ["defaults", "profiles.p", "profiles.q"])
def test_a_profile_file_with_a_password_that_others_can_read(url: str, table: str, profile_file: ProfileFile) -> None:
    profile_file.load(toml := f'[{table}]\nurl = "{url}"\n', {"MORE": ""})
    profile_file.path.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        Profiles.load(str(profile_file.path), environ={})
    assert "there is a password in it, and others can read" in str(caught.value)
    assert f"chmod 6{'4' if os.geteuid() == 0 else '0'}0 " in str(caught.value)
    assert CANARY in toml
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgresql://u:${PW}@h/d", "${PLACE}", "mysql://u@h/d?a=b"])
def test_a_profile_file_without_one_may_be_read_by_all(url: str, profile_file: ProfileFile) -> None:
    profile_file.load(f'[profiles.p]\nurl = "{url}"\n')
    profile_file.path.chmod(0o644)
    assert Profiles.load(str(profile_file.path), environ={}).names()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("given", ["profiles.toml", "."])
def test_a_file_that_somebody_else_put_there_counts_only_where_it_is_named(
    given: str, dbctl: Dbctl, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CONTAINER_MARKS", ())  # the tests may run in one
    (workdir / "profiles.toml").write_text('[profiles.p]\nurl = "sqlite:///a.db"\n')
    os.chown(workdir / given, 12345, 12345)
    run = of_tests(dbctl)
    result = run("profiles", "list")
    assert result.code == 3
    assert "belongs to another user; if you trust it, name it: DBCTL_CONFIG=profiles.toml" in result.err
    assert run("profiles", "list", "--config", "profiles.toml").code == 0
    assert run("profiles", "list", env={"DBCTL_CONFIG": "profiles.toml"}).code == 0
    os.chown(workdir / given, 0, 0)
