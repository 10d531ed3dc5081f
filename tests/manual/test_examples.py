"""The README and the pages are in step with the program: their lines are typed, and must show what they say."""

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.manual.examples import PAGES, block, comparable, examples, kinds, shell, text_of

_FIXTURES = {"server": "postgres_database", "pg": "postgres_database", "my": "mariadb_database"}
_MAIN_JOB = re.search(r"^python3 -m venv .* && pip install -q \. && (.*)$", text_of("README"), re.MULTILINE)
# A line in which there is nothing for the shell to do, so that dbctl can be run without one.
_PLAIN = re.compile(r"""dbctl( +([\w./:=@,-]|'[^']*'|"[^"$`\\]*")+)+""")


def main_job() -> str:
    """Return the README's first line without its installation, which is what the tests themselves run on."""
    assert _MAIN_JOB
    return _MAIN_JOB[1]


def alone(page: str) -> set[str]:
    """Return the kinds of a page that are typed in one folder."""
    return kinds(page) & {"", "server"}


IN_ONE_FOLDER = [page for page in PAGES if alone(page)]
ON_PROFILES = [(page, kind) for page in PAGES for kind in sorted(kinds(page) - {"", "server"})]


class Typist:
    """Types the lines of a page into a shell on a terminal, one after the other.

    Args:
        dbctl: dbctl in the folder where they are typed.
        database: The database that they are about, where that is a server's; the page calls it shop.
    """

    def __init__(self, dbctl: Dbctl, database: TestDatabase | None = None) -> None:
        self._dbctl = dbctl
        self._shell = shell(dbctl)
        self._database = database
        self._code = 0

    def type(self, line: str, *, on_server: bool) -> tuple[int, str]:
        """Type a line, and return its exit code and what is shown; `$?` is that of the line before."""
        run, typed = self._shell, line
        if on_server:
            assert self._database
            assert self._database.server
            server = self._database.server
            typed = line.replace("localhost:5432/shop", f"{server.host}:{server.port}/{self._database.name}")
            run = run.with_env(SHOP_DB_PASSWORD=server.app_password)
        if not on_server and _PLAIN.fullmatch(line):
            shown = self._dbctl.tty(*shlex.split(line)[1:], columns=100, rows=50)
        else:
            shown = run.tty(f"(exit {self._code}); {typed}", columns=100, rows=50)
        self._code = 0 if line.startswith("echo") else shown.code
        return shown.code, shown.plain.replace(self._database.name, "shop") if self._database else shown.plain


def test_there_are_examples_of_each_kind() -> None:
    assert {kind for page in PAGES for kind in kinds(page)} == {"", "server", "pg", "my"}


@pytest.mark.parametrize("page", IN_ONE_FOLDER)
def test_what_is_typed_shows_what_the_page_shows(page: str, dbctl: Dbctl, request: pytest.FixtureRequest) -> None:
    database = request.getfixturevalue(_FIXTURES["server"]) if "server" in kinds(page) else None
    typist = Typist(dbctl, database)
    if page == "README":
        shell(dbctl).ok(main_job())
    for kind, line, expected in examples(page, alone(page)):
        _, shown = typist.type(line, on_server=kind == "server")
        assert comparable(shown) == comparable(expected), f"$ {line}\n{shown}"


@pytest.mark.parametrize(("page", "kind"), ON_PROFILES)
def test_what_is_typed_on_a_server_shows_what_the_page_shows(
    page: str, kind: str, dbctl: Dbctl, request: pytest.FixtureRequest
) -> None:
    database: TestDatabase = request.getfixturevalue(_FIXTURES[kind])
    (dbctl.cwd / "profiles.toml").write_text(database.toml, encoding="utf-8")
    typist = Typist(dbctl.with_env(**database.env), database)
    for _, line, expected in examples(page, {kind}):
        _, shown = typist.type(line, on_server=False)
        assert comparable(shown) == comparable(expected), f"$ {line}\n{shown}"


def fails(lines: Sequence[tuple[str, str, str]], number: int) -> bool:
    """Tell whether a line fails on its page: by the exit code that is asked for below it, or by its error."""
    following = lines[number + 1 : number + 2]
    asked = re.search(r"exit code: (\d+)", following[0][2]) if following else None
    return asked[1] != "0" if asked else "dbctl: error:" in lines[number][2]


@pytest.mark.parametrize("page", ["migrate", "run", "exec", "console", "query", "look"])
def test_what_is_typed_ends_alike_on_every_server(page: str, dbctl: Dbctl, server_database: TestDatabase) -> None:
    typist = Typist(dbctl.with_env(DBCTL_URL=server_database.url))
    lines = list(examples(page, {""}))
    for number, (_, line, _) in enumerate(lines):
        typed = line.replace('"order"', "`order`") if server_database.dialect == "mysql" else line
        code, shown = typist.type(typed, on_server=False)
        if not line.startswith("echo "):
            assert (code != 0) == fails(lines, number), f"$ {line}\n{shown}"


def test_the_tour_can_be_gone_on_with_when_the_first_line_was_run_twice(
    dbctl: Dbctl, postgres_database: TestDatabase
) -> None:
    for _ in range(2):
        assert "Deadpond" in shell(dbctl).ok(main_job()).out
    typist = Typist(dbctl, postgres_database)
    for kind, line, expected in examples("README", alone("README")):
        code, shown = typist.type(line, on_server=kind == "server")
        assert (code != 0) == ("dbctl: error:" in expected), f"$ {line}\n{shown}"


@pytest.mark.parametrize("page", [page for page in PAGES if "```python\n" in text_of(page)])
def test_the_python_of_a_page_runs(page: str, dbctl: Dbctl) -> None:
    """What it prints is what it says it prints, in a comment at the end of the line."""
    dbctl.ok("init-tables")
    dbctl.ok("teams", "add", "Preventers")
    code = block(page, "python")
    (dbctl.cwd / "example.py").write_text(code, encoding="utf-8")
    printed = replace(dbctl, program=(sys.executable,)).ok("example.py").out
    assert printed.splitlines() == re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)
