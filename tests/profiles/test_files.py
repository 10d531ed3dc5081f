"""Files as they are found: by which mark they begin, what is mounted, and what the operating system refuses."""

import codecs
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from dbctl.errors import ConfigError
from dbctl.profiles import Profiles, password_of
from dbctl.profiles.document import find
from dbctl.profiles.files import exposed
from dbctl.profiles.secrets import doubt_of
from dbctl.runtime import machine
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.files import private
from tests.profiles.loading import ProfileFile

POSTGRES = 'url = "postgresql://user@host/db"\n'
MARKS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
]
IMPORTED: Sequence[tuple[str, str]] = (
    ("dotenv", 'POSTGRES_SERVER="db.internal"\nPOSTGRES_DB=app\n'),
    ("pg-service", "[prod]\nhost=db.internal\n[stage]\nport=1\n"),
    ("my-cnf", "[client]\nhost=db.internal\n[clientstage]\nport=3307\n"),
)


@pytest.mark.parametrize(("mark", "encoding"), MARKS)
def test_a_byte_order_mark_is_understood_in_every_file(
    mark: bytes, encoding: str, dbctl: Dbctl, profile_file: ProfileFile
) -> None:
    for source, text in IMPORTED:
        (dbctl.cwd / "read").write_bytes(mark + text.replace("\n", "\r\n").encode(encoding))
        name = ("--as", "x") if source == "dotenv" else ()
        out = dbctl.ok("-c", "t.toml", "profiles", "import", source, "--file", "read", *name, "--dry-run").out
        assert 'host = "db.internal"' in out
    toml = '[profiles.a]\nurl="sqlite:///a"\n# é'
    (dbctl.cwd / "profiles.toml").write_bytes(mark + toml.encode(encoding))
    assert "sqlite:///a" in dbctl.ok("profiles", "list").out
    dbctl.ok("profiles", "set", "a", "echo=true")
    assert (dbctl.cwd / "profiles.toml").read_text("utf-8") == '[profiles.a]\nurl="sqlite:///a"\necho = true\n# é'
    private(profile_file.path.parent / "pw").write_bytes(mark + "sécret\n".encode(encoding))
    assert password_of(profile_file.profile(f'{POSTGRES}password_file = "pw"')) == "sécret"


@pytest.mark.parametrize(
    ("place", "kind", "asked"),
    [
        ("{}", "tmpfs", False),
        ("{}", "ramfs", False),
        ("{}", "ext4", True),
        ("{}/other", "tmpfs", True),
        ("/tmp", "tmpfs", True),
    ],
)
def test_who_may_read_a_file_is_not_asked_on_a_mount_in_memory(
    place: str, kind: str, asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a secret"
    folder.mkdir()
    (folder / "pw").write_text("secret\n")
    (folder / "pw").chmod(0o644)
    mounts = tmp_path / "mountinfo"
    escaped = place.format(str(folder).replace(" ", "\\040"))
    mounts.write_text(f"1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / {escaped} rw shared:1 - {kind} {kind} rw\n")
    monkeypatch.setattr(machine, "_MOUNTS", str(mounts))
    assert (exposed(folder / "pw") is not None) is asked


def test_nor_below_run_secrets_nor_on_a_read_only_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = tmp_path / "pw"
    password.write_text("secret\n")
    password.chmod(0o644)
    assert exposed(password)
    with monkeypatch.context() as patch:
        patch.setattr(machine, "_SECRETS", tmp_path)
        assert exposed(password) is None
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: type("", (), {"f_flag": os.ST_RDONLY}))
        assert exposed(password) is None
    monkeypatch.setattr(machine, "_MOUNTS", "/nowhere")
    assert exposed(password)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("container", ["docker", "kubernetes"])
def test_in_a_container_a_file_may_belong_to_a_user_of_the_hosts(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles.toml").write_text("")
    os.chown("profiles.toml", 12345, 12345)
    (tmp_path / "mark").touch()
    monkeypatch.setattr(machine, "CONTAINER_MARKS", (str(tmp_path / "no"),))
    with pytest.raises(ConfigError, match="belongs to another user"):
        find(None, {})
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"} if container == "kubernetes" else {}
    if not environ:
        monkeypatch.setattr(machine, "CONTAINER_MARKS", (str(tmp_path / "no"), str(tmp_path / "mark")))
    assert find(None, environ) == Path("profiles.toml")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('password_env = "PW"', "the password in PW ends with a line's end, which may be none of it: take it away"),
        ('password_file = "pw"', "ends with a blank, which may be none of it: take it away"),
        ('password_env = "GOOD"', ""),
        ('password_env = "NOTHING"', ""),
        ("", ""),
    ],
)
def test_a_password_that_ends_as_one_does_that_was_echoed_is_doubted(
    lines: str, said: str, profile_file: ProfileFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", "secret\n")
    monkeypatch.setenv("GOOD", "a secret")
    private(profile_file.path.parent / "pw").write_text("secret \r\n")
    doubt = doubt_of(profile_file.profile(f"{POSTGRES}{lines}"))
    assert doubt.endswith(said)
    assert bool(doubt) is bool(said)
    assert "secret" not in doubt


def test_a_login_that_fails_for_a_lines_end_says_so(dbctl: Dbctl, server_database: TestDatabase) -> None:
    (dbctl.cwd / "profiles.toml").write_text(server_database.toml)
    [(variable, password)] = server_database.env.items()
    result = dbctl("--profile", server_database.profile, "ping", env={variable: f"{password}\n"})
    assert result.code == 4
    doubt = f"the password in {variable} ends with a line's end, which may be none of it: take it away"
    assert result.err.endswith(f"; {doubt}\n")
    assert "line's end" not in dbctl("--profile", server_database.profile, "ping", env={variable: "wrong"}).err


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (".", "there is no profile file .: it is a directory"),
        ("nowhere.toml", "there is no profile file nowhere.toml"),
        ("x" * 300, "x can't be read: File name too long"),
        ("loop/profiles.toml", "the profile file loop/profiles.toml can't be read: Too many levels of symbolic links"),
    ],
)
def test_a_profile_file_that_cannot_be_looked_at_is_named(named: str, said: str, dbctl: Dbctl) -> None:
    (dbctl.cwd / "loop").symlink_to("loop")
    for command in (["profiles", "list"], ["ping"], ["init-tables"]):
        result = dbctl("-c", named, *command)
        assert result.code == 3
        assert said in result.err
        assert result.err.count("\n") == 1


def test_a_home_that_cannot_be_looked_into_is_passed_over(dbctl: Dbctl) -> None:
    (dbctl.cwd / "loop").symlink_to("loop")
    assert Profiles.load(environ={"XDG_CONFIG_HOME": str(dbctl.cwd / "loop")}).path is None
    assert Profiles.load(environ={"XDG_CONFIG_HOME": "x" * 5000}).path is None


@pytest.mark.parametrize(
    "line",
    [
        ("--url", "sqlite:///x.db", "init-tables"),
        ("--url", "sqlite:///x.db", "init-tables", "--lock", "a"),
        ("--url", "sqlite:///x.db", "ping"),
        ("-c", "x.toml", "profiles", "add", "a", "sqlite:///x.db"),
        ("init-tables", "--models", "shop"),
    ],
)
def test_a_working_directory_that_is_gone_is_no_bug(line: Sequence[str], installed: Dbctl) -> None:
    program = ("/bin/sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh", *installed.program)
    result = Dbctl(cwd=installed.cwd, home=installed.home, program=program)(*line)
    assert result.code in {1, 3, 4}, str(result)
    assert "the working directory is gone" in result.err
    assert result.err.splitlines()[-1].startswith("dbctl: error: ")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("nowhere/a.db", "there is no directory nowhere for the database file nowhere/a.db"),
        ("folder", "unable to open database file: folder: Is a directory"),
        ("loop", "unable to open database file: loop: Too many levels of symbolic links"),
    ],
)
def test_a_database_file_that_is_refused_is_named_with_the_reason(place: str, reason: str, dbctl: Dbctl) -> None:
    (dbctl.cwd / "folder").mkdir()
    (dbctl.cwd / "loop").symlink_to("loop")
    result = dbctl("--url", f"sqlite:///{place}", "init-tables", "--quiet")
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("dbctl: error: ")
    assert result.err.count("\n") == 1
    assert reason in result.err


@pytest.mark.parametrize("line", ["profiles set p echo=true", "ping"])
def test_a_file_without_an_end_is_not_read_to_it(line: str, dbctl: Dbctl) -> None:
    profile = "[profiles.p]\nurl = 'postgresql://u@localhost:1/d'\npassword_file = '/dev/zero'\n"
    private(dbctl.cwd / "profiles.toml").write_text(profile)
    config = ["-c", "/dev/zero"] if line.startswith("profiles") else []
    result = dbctl(*config, *line.split())
    assert (result.code, result.err.count("\n")) == (3, 1), str(result)
    assert "/dev/zero" in result.err
