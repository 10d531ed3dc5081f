"""Every command says what it does, and what each of its options does."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest
import typer

from dbctl.cli.options import GLOBAL_PANEL
from dbctl.cli.root import make_root
from dbctl.results import Results
from dbctl.work.effects import effects_of
from tests.cli.commands import COMMANDS, GROUPS, WITH_RESULT, function
from tests.harness.cli import Dbctl


def command(words: Sequence[str]) -> Any:
    """Return a command as the parser has it."""
    found = make_root()
    context = typer.Context(found)
    for word in words:
        _, found, _ = found.resolve_command(context, [word])
        context = typer.Context(found)
    return found


def listed(help: str) -> set[str]:
    """Return the options that a page of help has a line for."""
    names = re.findall(r"^  (-[\w-]+(?:, -[\w-]+)*)", help, re.MULTILINE)
    return {name for line in names for name in line.split(", ")}


def returned(annotation: Any) -> Iterator[Any]:
    """Return the types of a command's rows."""
    parts = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from returned(part)


def test_there_are_commands() -> None:
    assert {("ping",), ("init-tables",), ("heroes", "add"), ("profiles", "show")} <= set(COMMANDS)
    assert ("heroes",) in GROUPS


@pytest.mark.parametrize("words", [*GROUPS, *COMMANDS], ids=" ".join)
def test_every_command_has_help(words: Sequence[str]) -> None:
    summary = command(words).help.partition("\n")[0]
    assert summary.endswith((".", "?"))
    assert summary[0].isupper()


@pytest.mark.parametrize("words", [(), *GROUPS, *COMMANDS], ids=" ".join)
def test_every_option_and_argument_has_help(words: Sequence[str]) -> None:
    parameters = command(words).params
    assert len(parameters) >= 9  # the global ones
    assert [parameter.name for parameter in parameters if not parameter.help] == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_shows_every_option_and_no_section_for_programmers(words: Sequence[str], dbctl: Dbctl) -> None:
    shown = dbctl.tty(*words, "--help", columns=160).plain
    parameters = command(words).params
    own = [one for one in parameters if one.param_type_name == "option" and one.rich_help_panel != GLOBAL_PANEL]
    assert listed(shown) == {"-h", "--help", *(name for one in own for name in [*one.opts, *one.secondary_opts])}
    for argument in (one for one in parameters if one.param_type_name == "argument"):
        assert re.search(rf"^  {argument.metavar}\b", shown, re.MULTILINE)
    for section in ("Args:", "Returns:", "Raises:"):
        assert section not in shown


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_that_writes_can_be_tried_out(words: Sequence[str]) -> None:
    options = {option for parameter in command(words).params for option in parameter.opts}
    rolls_back = words not in {("exec",), ("console",), ("shell",)}  # nobody knows what is done there
    assert ("--dry-run" in options) == (effects_of(function(words)).writes and rolls_back)


@pytest.mark.parametrize("words", WITH_RESULT, ids=" ".join)
def test_every_result_is_of_frozen_records(words: Sequence[str]) -> None:
    kinds = [kind for kind in returned(get_type_hints(function(words))["return"]) if kind is not type(None)]
    assert kinds
    for kind in kinds:
        if words == ("query",) and kind in {Any, Results}:  # columns that are known when it runs
            continue
        assert isinstance(kind, type)
        assert is_dataclass(kind)
        made: Any = object.__new__(kind)
        for each in fields(kind):
            vars(made)[each.name] = None
            with pytest.raises(FrozenInstanceError):
                setattr(made, each.name, 1)
            with pytest.raises(FrozenInstanceError):
                delattr(made, each.name)


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[-1] == "list"], ids=" ".join)
def test_every_list_has_rows_of_one_kind(words: Sequence[str]) -> None:
    assert len(list(returned(get_type_hints(function(words))["return"]))) == 1


def test_the_list_of_commands_has_the_first_line_of_each(dbctl: Dbctl) -> None:
    shown = dbctl.tty("--help", columns=200).plain
    for words in COMMANDS:
        if len(words) == 1:
            assert command(words).help.partition("\n")[0] in shown
