"""The layout of help: made for a terminal of 80 columns and 24 lines, and without rich, which takes long to import."""

import re
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from dbctl.cli.options import GLOBAL_PANEL
from dbctl.cli.streams import colours

Row = tuple[str, str]

_WIDEST_TEXT = 100
_WIDEST_NAME = 28
_BOLD, _CYAN, _PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[0m"

FOOTER = ("Global options: dbctl help options", "Exit codes: dbctl help exit-codes")


def command_page(command: Any, context: Any) -> str:
    """Return the help of a command: usage, description, arguments, options, where the rest is told, and examples.

    Args:
        command: The command, an instance of `dbctl.cli.parser.Subcommand`.
        context: Its context.
    """
    parameters = [one for one in command.get_params(context) if not one.hidden]
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    usage = " ".join([context.command_path, "[OPTIONS]", *map(_in_usage, arguments)])
    sections = [_table("Arguments:", [(_in_usage(one).strip("[]"), _help(one)) for one in arguments])]
    for heading, rows in _panels(one for one in parameters if one.param_type_name == "option").items():
        sections.append(_table(heading, rows))
    return _page(usage, command, sections)


def group_page(group: Any, context: Any, panels: Mapping[str, Sequence[Row]]) -> str:
    """Return the help of a group: usage, description, its commands by panel, its own options.

    Args:
        group: The group.
        context: Its context.
        panels: The names and summaries of its commands, by the heading that they stand under.
    """
    options = (one for one in group.get_params(context) if one.param_type_name == "option" and not one.hidden)
    sections = [_table(f"{heading}:", rows) for heading, rows in panels.items()]
    sections += [_table(heading, rows) for heading, rows in _panels(options).items()]
    usage = f"{context.command_path} [OPTIONS] COMMAND …"
    return _page(usage, group, sections)


def front_page(what: str, commands: Sequence[Row]) -> str:
    """Return what dbctl shows where nothing is asked of it: a dozen lines.

    Args:
        what: What dbctl is.
        commands: The commands to begin with, and their summaries.
    """
    help = [
        ("dbctl --help", "all commands"),
        ("dbctl COMMAND --help", "one of them, with examples"),
        ("dbctl help", "the manual: profiles, options, exit codes …"),
    ]
    column = max(len(name) for name, _ in [*commands, *help])
    room = max(20, _width() - column - 4)
    rows = [(name, textwrap.shorten(summary, room, placeholder=" …")) for name, summary in commands]
    return "\n\n".join([_wrapped(what), _table("", rows, column), _table("", help, column)])


def _page(usage: str, command: Any, sections: Iterable[str]) -> str:
    more = [f"More: dbctl help {command.page}"] if command.page else []
    examples = [f"  {line}".rstrip() for line in command.description.examples]
    parts = [
        textwrap.fill(f"Usage: {usage}", _width(), subsequent_indent="  ", break_on_hyphens=False),
        _paragraphs(command.description.text),
        *sections,
        "\n".join([*more, *FOOTER]),
        "\n".join([_styled("Examples:", _BOLD), *examples]) if examples else "",
    ]
    return "\n\n".join(filter(None, parts))


def _panels(options: Iterable[Any]) -> Mapping[str, Sequence[Row]]:
    """Return the options by the heading that they stand under; those that every command has stand under none."""
    panels: dict[str, list[Row]] = {"Options:": []}
    for option in options:
        panel = getattr(option, "rich_help_panel", None) or "Options"  # older ones have Click's own --help
        if panel != GLOBAL_PANEL:
            panels.setdefault(f"{panel}:", []).append((_names(option), _help(option)))
    return panels


def _names(option: Any) -> str:
    names = ", ".join(sorted([*option.opts, *option.secondary_opts], key=len))
    value = "" if option.is_flag or option.count else f" {option.metavar or option.name.upper()}"
    return f"{names}{value}"


def _in_usage(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    name = f"{name}…" if argument.nargs != 1 else name
    return name if argument.required else f"[{name}]"


def _help(parameter: Any) -> str:
    default = parameter.default
    notes = []
    if isinstance(parameter.show_default, str):
        notes.append(f"default: {parameter.show_default}")
    elif parameter.show_default and default not in (None, False, (), []) and not callable(default):
        notes.append(f"default: {default.value if isinstance(default, Enum) else default}")
    if parameter.required and parameter.param_type_name == "option":
        notes.append("required")
    help = " ".join((parameter.help or "").split())
    return f"{help} [{'; '.join(notes)}]" if notes else help


def _table(heading: str, rows: Sequence[Row], column: int = 0) -> str:
    """Return rows of a name and a text, the texts below each other; a name too long for its column has its own line."""
    if not rows:
        return ""
    column = column or min(_WIDEST_NAME, max(len(name) for name, _ in rows))
    indent = " " * (column + 4)
    lines = [_styled(heading, _BOLD)] if heading else []
    for name, text in rows:
        wrapped = _lines(text, max(20, _width() - len(indent)))
        first = f"  {_styled(name, _CYAN)}"
        if len(name) > column:
            lines.append(first)
        else:
            lines.append(f"{first}{' ' * (column - len(name) + 2)}{wrapped.pop(0) if wrapped else ''}".rstrip())
        lines += [f"{indent}{line}" for line in wrapped]
    return "\n".join(lines)


def _paragraphs(text: str) -> str:
    """Reflow a text's paragraphs; one that is set in, as a list is, stays as it stands."""
    paragraphs = re.split(r"\n[ \t]*\n", text.strip("\n"))
    return "\n\n".join(one if _is_set_in(one) else _wrapped(one) for one in paragraphs)


def _is_set_in(paragraph: str) -> bool:
    return any(line.startswith((" ", "\t", "- ", "* ")) for line in paragraph.splitlines())


def _wrapped(text: str) -> str:
    return "\n".join(_lines(text, min(_width(), _WIDEST_TEXT)))


def _lines(text: str, width: int) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def _width() -> int:
    """Return the columns of the terminal, or of the one that COLUMNS or nobody has told of."""
    return max(40, shutil.get_terminal_size().columns)


def _styled(text: str, style: str) -> str:
    return f"{style}{text}{_PLAIN}" if colours() else text
