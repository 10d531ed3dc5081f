"""A working directory that has been removed is said where it is needed, and passed over elsewhere."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl

MODELS = ("--models", "dbctl.sample.models", "--quiet")


@pytest.fixture
def lost(installed: Dbctl) -> Dbctl:
    """Dbctl in a directory that is gone when it starts."""
    return replace(installed, program=("/bin/sh", "-c", 'rmdir "$PWD" && exec "$0" -m dbctl "$@"', sys.executable))


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (("ping",), "dev.db"),
        (("init-tables",), "dev.db"),
        (("init-tables", "--check", *MODELS), "dev.db"),
        (("--url", "sqlite:///x.db", "init-tables", "--lock", "x"), "x.db"),
        (("ping", "--driver", "async"), "dev.db"),
        (("profiles", "add", "x", "sqlite:///x.db"), "profiles.toml"),
        (("profiles", "import", "url", "postgresql://h/d?sslmode=verify-full&sslrootcert=ca.pem"), "ca.pem"),
    ],
    ids=" ".join,
)
def test_it_is_said_where_it_is_needed(lost: Dbctl, args: Sequence[str], path: str) -> None:
    result = lost(*args)
    assert (result.code, result.out) == (3, ""), str(result)
    *notes, error = result.err.splitlines()
    assert error == f"dbctl: error: {path}: the working directory is gone; change to one that is there"
    assert "bug" not in result.err
    assert len(notes) <= 1


def test_it_is_passed_over_elsewhere(lost: Dbctl, tmp_path: Path) -> None:
    lost.cwd.mkdir(exist_ok=True)
    lost.ok("--url", f"sqlite:///{tmp_path}/x.db", "init-tables", *MODELS, "--lock", "nightly")
    for args in (("profiles", "list"), ("help", "locks"), ("--url", f"sqlite:///{tmp_path}/x.db", "heroes", "list")):
        lost.cwd.mkdir()
        lost.ok(*args)
