"""Each command's help has examples that can be typed, and names the page that says more."""

import re
import shlex
from collections.abc import Sequence

import pytest

from tests.cli.commands import COMMANDS, GROUPS
from tests.cli.test_help import command
from tests.harness.cli import Dbctl
from tests.manual.examples import PAGES

EXAMPLES = [(words, line) for words in COMMANDS for line in command(words).description.examples]
every_command = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


@every_command
def test_it_ends_with_two_or_three_examples(words: Sequence[str], dbctl: Dbctl) -> None:
    examples = command(words).description.examples
    assert 2 <= len(examples) <= 3
    last = dbctl.ok(*words, "--help").lines[-len(examples) - 1 :]
    assert last == ["Examples:", *(f"  {line}" for line in examples)]


@pytest.mark.parametrize(("words", "line"), EXAMPLES, ids=str)
def test_an_example_can_be_typed(words: Sequence[str], line: str) -> None:
    """It is of that command, and the parser takes what else it says."""
    match = re.match(r"\$ [^()]*(?:\$\()?\bdbctl ([^()]*)", line)
    assert match
    said = shlex.split(match[1])
    start = said.index(words[0])
    assert said[start : start + len(words)] == list(words)
    command(words).make_context(words[-1], [*said[:start], *said[start + len(words) :]])


@pytest.mark.parametrize("words", [*COMMANDS, *GROUPS], ids=" ".join)
def test_it_names_the_page_that_says_more(words: Sequence[str], dbctl: Dbctl) -> None:
    page = command(words).page
    assert page in set(PAGES) - {"README"}
    assert f"More: dbctl help {page}" in dbctl.ok(*words, "--help").lines
