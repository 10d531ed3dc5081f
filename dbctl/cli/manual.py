"""The manual as the command line opens it: with the help of its commands."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import typer

from dbctl.cli.root import make_root
from dbctl.cli.tree import CommandTree
from dbctl.manual import Manual

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def manual(config: str | None) -> Manual:
    """Return the manual.

    Args:
        config: The profile file that was named, which may take commands away.
    """
    root = make_root()
    context = _context(root, None, "dbctl")
    context.params["config"] = config
    return Manual(lambda: _names(root, context), _help_of(root, context))


def _names(group: Any, context: Any, before: str = "") -> Iterator[str]:
    """Yield the commands of a group, and of the groups in it."""
    for name, found in group.available(context).items():
        yield f"{before}{name}"
        if found.is_group:
            yield from _names(*_entered(group, context, name), f"{before}{name} ")


def _help_of(root: Any, context: Any) -> Callable[[Sequence[str]], str]:
    def help_of(words: Sequence[str]) -> str:
        command, its_context = root, context
        for word in words:
            command, its_context = _entered(command, its_context, word)
        return _STYLE.sub("", command.get_help(its_context))

    return help_of


def _entered(group: CommandTree, context: Any, name: str) -> tuple[Any, Any]:
    """Return a command of a group, and its context."""
    _, command, _ = group.resolve_command(context, [name])
    return command, _context(command, context, name)


def _context(command: Any, parent: Any, name: str) -> Any:
    return typer.Context(command, parent=parent, info_name=name, **command.context_settings)
