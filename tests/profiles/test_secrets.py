"""A password is read where it is used, from the one source that the profile names, and is seen nowhere."""

from pathlib import Path

import pytest

import dbctl as library
from dbctl.backends import backend_of
from dbctl.errors import ConfigError
from dbctl.profiles import Profile, password_of
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.files import private
from tests.profiles.loading import CANARY, ProfileFile

POSTGRES = 'url = "postgresql://user@host/db"\n'


@pytest.mark.parametrize("password", ["secret", "a@b:c/d%41", " spaces ", "${HOME}", "üñ😀", "'\"\\"])
def test_a_variable_holds_the_password_as_it_is(
    password: str, profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = profile_file.profile(POSTGRES + 'password_env = "PW"')
    monkeypatch.setenv("PW", password)
    assert password_of(profile) == password
    assert backend_of(profile).url().password == password


def test_a_password_is_read_each_time_it_is_used(profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = profile_file.profile(POSTGRES + 'password_env = "PW"')
    for password in ("before", "after"):
        monkeypatch.setenv("PW", password)
        assert password_of(profile) == password


def test_a_missing_variable_is_named(profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PW", raising=False)
    profile = profile_file.profile(POSTGRES + 'password_env = "PW"')
    with pytest.raises(ConfigError) as caught:
        password_of(profile)
    place = f"{profile_file.path} [profiles.p]: password_env"
    assert str(caught.value) == f"{place}: the environment variable PW is not set; set it to the password"


def test_a_variable_that_is_not_text_is_told(profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "\udcff" + CANARY)
    profile = profile_file.profile(POSTGRES + 'password_env = "PW"')
    with pytest.raises(ConfigError, match=r"\[profiles\.p\]: password_env: ") as caught:
        password_of(profile)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("content", ["secret", "secret\n", "secret\r\n", "secret\nsecond line\n", "secret\n\n\n"])
def test_a_files_first_line_is_the_password(content: str, profile_file: ProfileFile) -> None:
    private(profile_file.path.parent / "pw").write_bytes(content.encode())
    assert password_of(profile_file.profile(POSTGRES + 'password_file = "pw"')) == "secret"


@pytest.mark.parametrize("password", [" spaces ", "\ttab", "a#b", "üñ😀", "a\u2028b", "a\x0cb"])
def test_the_first_line_is_the_password_as_it_is(password: str, profile_file: ProfileFile) -> None:
    private(profile_file.path.parent / "pw").write_bytes(f"{password}\n".encode())
    assert password_of(profile_file.profile(POSTGRES + 'password_file = "pw"')) == password


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing", "No such file or directory"),
        ("directory", "Is a directory"),
        ("latin", "latin is not UTF-8 text"),
        ("empty", "is empty"),
        ("blank", "is empty"),
        ("empty/below", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
        ("a\\u0000b", ""),
    ],
)
def test_a_file_without_a_password_is_told(path: str, reason: str, profile_file: ProfileFile) -> None:
    directory = profile_file.path.parent
    (directory / "directory").mkdir()
    private(directory / "latin").write_bytes(b"\xfc\n")
    private(directory / "empty").write_bytes(b"")
    private(directory / "blank").write_bytes(b"\nsecret\n")
    (directory / "loop").symlink_to("loop")
    with pytest.raises(ConfigError) as caught:
        password_of(profile_file.profile(f'{POSTGRES}password_file = "{path}"'))
    message = str(caught.value)
    assert message.startswith(f"{profile_file.path} [profiles.p]: password_file")
    assert reason in message
    assert "\n" not in message


def test_a_file_database_needs_none_of_the_passwords_that_are_shared(
    profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PW", raising=False)
    toml = '[defaults]\npassword_env = "PW"\n[profiles.p]\nurl = "sqlite://"\n'
    engine = library.build_engine(profile_file.profile(toml))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    engine.dispose()


# Each with the canary as its secret.
SECRETIVE = [
    f'url = "postgresql://user:{CANARY}@host/db"',
    f'url = "mysql://user:{CANARY}@host/db"',
    f'url = "postgresql://user@host/db?password={CANARY}"',
    f'url = "postgresql://user@host/db?sslpassword={CANARY}"',
    f'url = "mysql://user@host/db?ssl_key_password={CANARY}"',
    f'url = "mysql://user@host/db?passwd={CANARY}"',
    POSTGRES + 'password_env = "PW"',
    POSTGRES + 'password_file = "pw"',
]


def secretive(body: str, profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.setenv("PW", CANARY)
    private(profile_file.path.parent / "pw").write_text(CANARY)
    return profile_file.profile(body)


@pytest.mark.parametrize("body", SECRETIVE)
def test_a_profile_shows_no_secret(body: str, profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = secretive(body, profile_file, monkeypatch)
    assert "host" in repr(profile)
    for shown in (repr(profile), str(profile), f"{profile}", profile.shown_url, str(profile.origins)):
        assert CANARY not in shown


@pytest.mark.parametrize("body", SECRETIVE)
def test_an_engine_shows_no_secret(body: str, profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = library.build_engine(secretive(body, profile_file, monkeypatch))
    assert "host" in str(engine.url)
    for shown in (str(engine.url), repr(engine.url), str(engine), repr(engine)):
        assert CANARY not in shown


@pytest.mark.parametrize("body", SECRETIVE)
def test_no_command_shows_a_secret(body: str, dbctl: Dbctl, workdir: Path) -> None:
    private(workdir / "pw").write_text(CANARY)
    body = body.replace("@host/", "@127.0.0.1:1/")  # where nothing listens
    private(workdir / "profiles.toml").write_text(f'default = "p"\n[profiles.p]\n{body}\n')
    for command, code in (("profiles show", 0), ("profiles list --json", 0), ("ping --debug --echo", 4)):
        result = dbctl(*command.split(), env={"PW": CANARY})
        assert result.code == code, str(result)
        assert CANARY not in result.out + result.err


def test_a_refused_login_shows_no_secret(dbctl: Dbctl, server_database: TestDatabase) -> None:
    private(dbctl.cwd / "profiles.toml").write_text(f'default = "{server_database.profile}"\n{server_database.toml}')
    [variable] = server_database.env
    for command in ("ping", "heroes list", "pool-stats", "init-tables"):
        result = dbctl(*command.split(), "--debug", "--echo", env={variable: CANARY})
        assert result.code == 4, str(result)
        assert "login" in result.err
        assert CANARY not in result.out + result.err


def test_the_database_gets_the_password_of_the_file(dbctl: Dbctl, server_database: TestDatabase) -> None:
    [(variable, password)] = server_database.env.items()
    toml = server_database.toml.replace(f'password_env = "{variable}"', 'password_file = "pw"')
    private(dbctl.cwd / "profiles.toml").write_text(f'default = "{server_database.profile}"\n{toml}')
    private(dbctl.cwd / "pw").write_text(f"{password}\n")
    assert dbctl.ok("ping", "--json").json["profile"] == server_database.profile
