"""The house stays in order: small files, each with a word on what it is, each thing in its room."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dbctl

ROOT = Path(dbctl.__file__).parent
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
everywhere = pytest.mark.parametrize("path", FILES, ids=str)


def read(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def calls(path: Path) -> Iterator[str]:
    """Return what a file calls, as it is written: `print`, `sys.exit`."""
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def elsewhere(*rooms: str) -> pytest.MarkDecorator:
    """Parametrize over all files but those of some rooms."""
    return pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] not in rooms], ids=str)


@everywhere
def test_a_file_is_short(path: Path) -> None:
    assert len(read(path).splitlines()) <= 300


@everywhere
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(read(path)))


@elsewhere("backends")
def test_what_differs_between_databases_is_in_the_backends(path: Path) -> None:
    assert not re.search(r"dialect\.name|\.drivername|get_backend_name|get_dialect_name", read(path))


@elsewhere("cli")
def test_only_the_command_line_writes_and_exits(path: Path) -> None:
    forbidden = {"print", "exit", "quit", "input", "sys.exit", "os._exit", "sys.stdout.write", "sys.stderr.write"}
    assert forbidden & set(calls(path)) == set()


@everywhere
def test_nothing_commits_but_the_unit_of_work(path: Path) -> None:
    commits = {name for name in calls(path) if name.endswith((".commit", ".begin"))}
    if path == Path("migrations/changes.py"):  # alembic is the unit of work there; what an env.py leaves open is kept
        assert commits == {"connection.commit"}
    else:
        assert commits == set() or path == Path("work/commits.py") or path.parts[0] == "backends"


@everywhere
def test_comments_hold_no_leftovers(path: Path) -> None:
    assert not re.search(r"#.*\b(TODO|FIXME|XXX|HACK)\b", read(path))
