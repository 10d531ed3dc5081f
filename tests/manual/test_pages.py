"""The manual is whole: every command, key, code and variable is on its page, and what a page refers to is there."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import dbctl
from dbctl.cli.exits import ExitCode
from tests.cli.commands import COMMANDS
from tests.cli.test_help import command
from tests.manual.examples import PAGES, ROOT, examples, kinds, text_of

TOPICS = sorted(set(PAGES) - {"README"})
everywhere = pytest.mark.parametrize("topic", TOPICS)


@everywhere
def test_a_page_begins_with_its_name_and_what_it_is_about(topic: str) -> None:
    first, second, *_ = text_of(topic).splitlines()
    assert re.fullmatch(rf"# {topic}: \S.{{10,90}}[^.]", first)
    assert second == ""


@everywhere
def test_the_lines_of_a_page_are_not_too_long(topic: str) -> None:
    """Of its text: a table's row and what is typed can't be broken."""
    text = re.sub(r"^```.*?^```", "", text_of(topic), flags=re.MULTILINE | re.DOTALL)
    assert [line for line in text.splitlines() if len(line) > 120 and not line.startswith("|")] == []


@everywhere
def test_what_a_page_links_to_is_there(topic: str) -> None:
    for path in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(topic)):
        assert (PAGES[topic].parent / path).is_file(), path


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_typed_on_a_page(words: tuple[str, ...]) -> None:
    typed = re.compile(rf"\bdbctl (\S.* )?{' '.join(words)}\b")
    lines = [line for topic in TOPICS for _, line, _ in examples(topic, kinds(topic))]
    lines += re.findall(r"^\$ (.*)$", text_of("sample"), re.MULTILINE)  # serve runs until it is ended
    assert any(map(typed.search, lines)), f"no example of {' '.join(words)}"


def test_every_exit_code_is_on_its_page_with_its_meaning() -> None:
    for code in ExitCode:
        assert f"| {code.value} | {code.meaning} |" in text_of("exit-codes")


def test_every_profile_key_is_in_the_table() -> None:
    from dbctl.profiles import Pool, Profile, Ssl, Tunnel

    inner = {"name", "password", "query", "pool", "ssl", "tunnel"}
    keys = [key for key in Profile.model_fields if key not in inner]
    keys += [f"pool.{key}" for key in Pool.model_fields] + [f"ssl.{key}" for key in Ssl.model_fields]
    keys += [f"tunnel.{key}" for key in Tunnel.model_fields]
    table = text_of("profiles").partition("| key | meaning")[2].partition("\n\n")[0]
    assert [key for key in keys if f"`{key}`" not in table] == []


def test_every_global_option_is_on_its_page() -> None:
    options = _options(())
    assert len(options) > 10
    assert [option for option in options if f"`{option}" not in text_of("options")] == []


def test_every_term_of_a_run_is_on_its_page() -> None:
    options = set(_options(("teams", "add"))) - set(_options(())) - {"--headquarters"}
    assert "--dry-run" in options
    assert [option for option in options if f"`{option}" not in text_of("transactions")] == []


def test_every_variable_that_is_read_is_on_its_page() -> None:
    variables = {name for path in Path(dbctl.__file__).parent.rglob("*.py") for name in _variables(path)}
    assert {"DATABASE_URL", "DBCTL_PROFILE", "EDITOR", "PGSERVICEFILE"} <= variables
    assert [name for name in sorted(variables) if f"`{name}`" not in text_of("environment")] == []


def test_the_benchmarks_that_are_named_are_there() -> None:
    named = re.findall(r"python (tests/benchmarks/\S+)", text_of("developing"))
    assert named
    for path in named:
        subprocess.run([sys.executable, ROOT / path, "--help"], check=True, capture_output=True)


def _options(words: Sequence[str]) -> list[str]:
    """Return the options of a command."""
    return [name for parameter in command(words).params for name in parameter.opts if name.startswith("-")]


def _variables(path: Path) -> Iterator[str]:
    """Yield the environment variables that a file reads.

    They are the ones named where an environment is asked, in the same statement; and all that are called dbctl's own.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    yield from (text for text in texts if re.fullmatch(r"DBCTL_[A-Z_]+", text))
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Return | ast.Expr | ast.If | ast.For):
            continue
        line = ast.unparse(statement).partition("\n")[0]
        if re.search(r"\benviron(\.get\(|\[)|\bgetenv\(", line):
            yield from re.findall(r"'([A-Z][A-Z0-9_]{2,})'", line)
