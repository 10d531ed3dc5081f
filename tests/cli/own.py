"""A package of commands of a service's own, in the directory that dbctl is run in."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from tests.harness.cli import Dbctl
from tests.harness.forked import ENTRIES

MOUNTED = """
import sys
sys.path.insert(0, ".")
import dbctl.mounts
dbctl.mounts.MOUNTS = (*dbctl.mounts.MOUNTS, dbctl.mounts.Mount("own", "Our own"))
from dbctl.cli.main import main
main()
"""

PROGRAM = (sys.executable, "-c", MOUNTED)

HEAD = """from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
import typer
from sqlalchemy import Connection, Engine, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session as PlainSession
from sqlmodel import Session
from dbctl import Connector, Database, Profile, Profiles, Rows, stream, stream_rows, writes
from dbctl.profiles.writing import ProfileFile


@dataclass(frozen=True)
class Found:
    answer: int


"""


def with_own_commands(dbctl: Dbctl) -> Dbctl:
    """Return dbctl with a package for commands in its directory."""
    (dbctl.cwd / "own").mkdir()
    (dbctl.cwd / "own" / "__init__.py").write_text('"""Commands of our own."""\n')
    return replace(dbctl, program=PROGRAM)


def _run(arguments: Sequence[str]) -> None:
    sys.argv[1:] = arguments
    exec(MOUNTED, {})


ENTRIES[PROGRAM] = f"{__name__}:_run"


def define(dbctl: Dbctl, name: str, body: str) -> None:
    """Write a command's module."""
    (dbctl.cwd / "own" / f"{name}.py").write_text(f'"""A command."""\n{HEAD}{body}')
