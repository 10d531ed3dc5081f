"""Completing what commands take: the one that the line leads to is loaded, and asked."""

from collections.abc import Iterator, Sequence
from typing import Any

import typer

from dbctl.cli.completion import Found
from dbctl.cli.line import Line
from dbctl.cli.parser import parsed
from dbctl.cli.root import make_root
from dbctl.cli.tree import CommandTree
from dbctl.errors import DbctlError


def of_command(line: Line) -> Found:
    """Complete what a command or a group takes: the value of an option, the name of one, a command, an argument."""
    try:
        command, context = _reached(make_root(), line.words)
    except DbctlError:
        return ()  # a command that can't be loaded tells why where it is run
    parameters = [one for one in command.get_params(context) if not one.hidden]
    options = [one for one in parameters if one.param_type_name == "option"]
    for option in options:
        if line.option in option.opts and not option.is_flag and not option.count:
            return _values(option, context, line.incomplete)
    if line.incomplete.startswith("-") and "--" not in line.words:
        return list(_names(options, context, line.incomplete))
    if isinstance(command, CommandTree):
        commands = command.available(context)
        names = [name for name in command.list_commands(context) if name.startswith(line.incomplete)]
        return ((name, commands[name].description.summary) for name in names)
    arguments = (one for one in parameters if one.param_type_name == "argument")
    open_ones = (one for one in arguments if one.nargs == -1 or not _typed(one, context))
    return next((_values(one, context, line.incomplete) for one in open_ones), ())


def _reached(root: Any, words: Sequence[str]) -> tuple[Any, Any]:
    """Return the command or group that the words lead to, and its context, with the values as they were typed."""
    command, context = root, None
    while True:
        context = typer.Context(
            command, parent=context, info_name=command.name, resilient_parsing=True, **command.context_settings
        )
        rest = parsed(command, context, words)
        if not rest or not isinstance(command, CommandTree):
            return command, context
        _, command, words = command.resolve_command(context, rest)


def _values(parameter: Any, context: Any, incomplete: str) -> Found:
    return [(str(item.value), item.help or "") for item in parameter.shell_complete(context, incomplete)]


def _typed(parameter: Any, context: Any) -> bool:
    """Tell whether a value was typed: one that was not is None, or a mark of Click's since 8.3."""
    source = context.get_parameter_source(parameter.name)
    return source is not None and source.name == "COMMANDLINE"


def _names(options: Sequence[Any], context: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    for option in options:
        if option.multiple or not _typed(option, context):
            for name in dict.fromkeys((*option.opts, *option.secondary_opts)):  # Typer may have one twice
                if name.startswith(incomplete):
                    yield name, option.help
