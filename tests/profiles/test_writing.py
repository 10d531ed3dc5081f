"""The profile file is changed whole or not at all, by one at a time, and stays its owner's."""

import multiprocessing
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dbctl.errors import ConfigError
from dbctl.profiles import Profiles
from dbctl.profiles.editing import Append, Set
from dbctl.profiles.writing import ProfileFile

TEXT = '# Ours\ndefault = "p" # it\n\n[profiles.p]\nurl = "sqlite:///p.db"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A path in a directory of its own."""
    directory = tmp_path / "config"
    directory.mkdir()
    return directory / "profiles.toml"


def add(path: Path, name: str, **values: object) -> str:
    edit = Append(("profiles", name), values or {"url": "sqlite://"})
    return ProfileFile(path, {}).change(lambda _: [edit], [name])


def add_several(path: Path, names: list[str]) -> None:
    """Add profiles in a thread each, all at once."""
    threads = [threading.Thread(target=add, args=(path, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def only(path: Path) -> None:
    """Assert that nothing but the file is there."""
    assert list(path.parent.iterdir()) == [path]


def test_none_of_many_changes_at_once_is_lost(path: Path) -> None:
    names = [[f"p{process}-{thread}" for thread in range(4)] for process in range(10)]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=add_several, args=(path, some)) for some in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 10
    found = Profiles.load(str(path), environ={}).document.profiles
    assert sorted(found) == sorted(name for some in names for name in some)
    only(path)


def test_a_new_file_is_its_owners_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        add(path, "p")
        deeper = path.parent / "new" / "directory" / "profiles.toml"
        add(deeper, "p")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(deeper.stat().st_mode) == 0o600
    assert deeper.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_changed_file_keeps_its_mode_and_its_owner(mode: int, path: Path) -> None:
    path.write_text(TEXT)
    path.chmod(mode)
    if os.getuid() == 0:
        os.chown(path, 1234, 2345)
    before = path.stat()
    add(path, "q")
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert path.read_text() == f'{TEXT}\n[profiles.q]\nurl = "sqlite://"\n'


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_one(exists: bool, path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to("config/profiles.toml")
    if exists:
        path.write_text(TEXT)
    add(link, "q")
    assert link.is_symlink()
    assert "q" in Profiles.load(str(path), environ={}).names()
    only(path)


def test_line_ends_stay_what_they_are(path: Path) -> None:
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    add(path, "q")
    assert path.read_bytes() == f'{TEXT}\n[profiles.q]\nurl = "sqlite://"\n'.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"url": "nonsense"}, "[profiles.q]: url: not a database URL"),
        ({"url": "sqlite://", "pool": {"sise": 5}}, '[profiles.q]: pool.sise: unknown key; did you mean "size"?'),
        ({"url": "sqlite://", "password": "x"}, "[profiles.q]: password: unknown key"),
        ({"url": "sqlite://", "host": "h"}, "[profiles.q]: host: there is a url already"),
    ],
)
def test_what_loading_would_refuse_is_not_written(values: dict[str, object], problem: str, path: Path) -> None:
    path.write_text(TEXT)
    with pytest.raises(ConfigError) as caught:
        add(path, "q", **values)
    assert problem in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert path.read_text() == TEXT
    only(path)


def test_a_variable_that_is_not_set_here_is_no_reason_to_refuse(path: Path) -> None:
    add(path, "q", driver="postgresql", host="${HOST}", port="${PORT}", database="a${NAME}b")
    assert 'port = "${PORT}"' in path.read_text()
    with pytest.raises(
        ConfigError, match=r"workers = 0: allowed is .*; HOST is not set here, and 1 was taken for it\Z"
    ):
        add(path, "r", driver="postgresql", host="${HOST}", workers=0)


@contextmanager
def as_nobody(directory: Path) -> Iterator[None]:
    """Run as a user to whom nothing is allowed that the modes do not allow: root may do all."""
    root = os.geteuid() == 0
    if root:
        for parent in [directory, *directory.parents]:
            if "pytest-" in str(parent):  # pytest's own directories, which are root's alone
                parent.chmod(parent.stat().st_mode | 0o055)
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_directory_that_can_not_be_written_to_is_told(path: Path) -> None:
    path.write_text(TEXT)
    path.chmod(0o666)
    path.parent.chmod(0o555)
    with as_nobody(path.parent), pytest.raises(ConfigError, match=r"can't be written: Permission denied"):
        add(path, "q")
    path.parent.chmod(0o755)
    assert path.read_text() == TEXT


def test_a_file_that_is_read_only_is_not_replaced(path: Path) -> None:
    path.write_text(TEXT)
    path.chmod(0o444)
    path.parent.chmod(0o777)
    with as_nobody(path.parent), pytest.raises(ConfigError, match="can't be written: it is read-only"):
        add(path, "q")
    assert path.read_text() == TEXT
    only(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that belongs to another")
def test_a_file_of_another_user_stays_that_users(path: Path) -> None:
    path.write_text(TEXT)
    path.chmod(0o666)
    path.parent.chmod(0o777)
    with as_nobody(path.parent), pytest.raises(ConfigError, match="it belongs to another user, or group"):
        add(path, "q")
    assert (path.read_text(), path.stat().st_uid) == (TEXT, 0)
    only(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"default = \xff", "not UTF-8 text"), (b"default = ", "not valid TOML"), (b"[profile.p]\n", "unknown key")],
)
def test_a_file_that_is_wrong_is_left_as_it_is(content: bytes, problem: str, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=problem):
        add(path, "q")
    assert path.read_bytes() == content


def test_a_directory_is_no_profile_file(path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        add(path.parent, "q")


def test_a_dry_run_writes_nothing_and_refuses_the_same(path: Path) -> None:
    file = ProfileFile(path.parent / "new" / "profiles.toml", {}, dry_run=True)
    assert file.change(lambda _: [Append(("profiles", "q"), {"url": "sqlite://"})], ["q"])
    with pytest.raises(ConfigError, match="not a database URL"):
        file.change(lambda _: [Append(("profiles", "q"), {"url": "x"})], ["q"])
    assert list(path.parent.iterdir()) == []


def test_a_file_that_another_has_changed_is_not_replaced(path: Path) -> None:
    path.write_text(TEXT)
    file = ProfileFile(path, {})
    add(path, "q")
    with pytest.raises(ConfigError, match="another program has changed it meanwhile"):
        file.replace(TEXT, "")
    assert "[profiles.q]" in path.read_text()


def test_the_edits_see_what_is_in_the_file_when_nobody_else_can_change_it(path: Path) -> None:
    path.write_text(TEXT)
    seen: list[list[str]] = []
    file = ProfileFile(path, {})
    add(path, "q")
    file.change(lambda profiles: seen.append(profiles.names()) or [Set(("default",), "q")], [])  # type: ignore[func-returns-value]
    assert seen[0][:2] == ["p", "q"]


@pytest.mark.parametrize(
    ("environ", "config", "expected"),
    [
        ({}, None, "profiles.toml"),
        ({}, "new.toml", "new.toml"),
        ({"DBCTL_CONFIG": "variable.toml"}, None, "variable.toml"),
        ({"DBCTL_CONFIG": "variable.toml"}, "new.toml", "new.toml"),
        ({"DBCTL_CONFIG": ""}, None, "profiles.toml"),
        ({}, "~/new.toml", "{home}/new.toml"),
    ],
)
def test_a_file_that_is_nowhere_has_its_place(
    environ: dict[str, str], config: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = ProfileFile.found(config, environ=environ)
    assert str(file.path) == expected.format(home=tmp_path)
