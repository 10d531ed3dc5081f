"""Completing the line in a shell: the line comes in variables, and an answer goes out for each press of a key.

The answer to what every command has, such as --profile, is given without any command, and without Typer.
"""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from dbctl.cli.line import Line, config_named, taken_apart
from dbctl.cli.main import PROTOCOL
from dbctl.records import record

_PROFILE = ("--profile", "-p")

Found = Iterable[tuple[str, str]]


@record
class _Said:
    """The options on a line, as a parameter's completion function finds them in Typer's context."""

    params: Mapping[str, Any]
    parent: None = None


def answer(environ: Mapping[str, str] = os.environ) -> str:
    """Return what a shell is told, in the form that its script takes: a line for each word, in zsh and fish with help.

    Args:
        environ: The environment, in which the script has put what is typed.
    """
    shell = environ.get(PROTOCOL, "").removeprefix("complete_")
    if shell == "bash":
        index = environ.get("COMP_CWORD", "")
        line = taken_apart(environ.get("COMP_WORDS", ""), int(index) if index.isdecimal() else None)
    elif shell in {"zsh", "fish"}:
        line = taken_apart(environ.get("_DBCTL_WORDS", ""))
    else:
        return ""
    found = [(value, help) for value, help in _completed(line) if value.isprintable()]
    if shell == "bash":
        # Bash has taken the prefix for a word of its own, and puts what it is told onto the line as it is.
        return "".join(f"{value if line.quote else _escaped(value)}\n" for value, _ in found)
    return "".join("\t".join(filter(None, [line.prefix + value, help])) + "\n" for value, help in found)


def _completed(line: Line) -> Found:
    if line.option in _PROFILE:
        from dbctl.profiles.completion import complete_profile

        return [(name, "") for name in complete_profile(_Said({"config": config_named(line.words)}), line.incomplete)]
    from dbctl.cli.candidates import of_command  # loads Typer

    return of_command(line)


def _escaped(value: str) -> str:
    """Escape what bash would take for more than a letter."""
    return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", value)
