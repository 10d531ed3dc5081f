"""What dbctl's commands have beside Typer's: a layout of help of their own, and errors that say what was meant."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from dbctl.cli.docstrings import Description

# Typer has had Click's exceptions in a package of its own since 0.26; this is whichever Typer raises.
TyperError: Any = typer.BadParameter.__mro__[2]


class Subcommand(TyperCommand):
    """One command, with what its help says beside its parameters.

    `names_function` tells whether its first argument may name a service's own function, which is the command then.
    `suggest` returns what was probably meant by the first word after the command, where the line does not fit it.
    """

    description = Description()
    page: str | None = None
    names_function = False
    suggest: Callable[[str], str | None] = staticmethod(lambda word: None)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help in dbctl's own layout."""
        from dbctl.cli import layout

        formatter.write(layout.command_page(self, ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the command's arguments; an error says what was meant, where that can be guessed."""
        said = args[:1]
        try:
            return self._parsed(ctx, args)
        except TyperError as error:
            error.ctx = error.ctx or ctx  # an option without its value is told without the command
            if said and (meant := self.suggest(said[0])):
                # What is missing is said by Typer itself, before the message.
                said_so_far = f"{error.message.rstrip('.')}. " if error.message else ""
                error.message = f"{said_so_far}Did you mean '{meant}'?"
            raise

    def _parsed(self, ctx: Any, args: list[str]) -> Any:
        """Parse the arguments; no option is a number, nor has a blank, so -1 and SQL with a comment are arguments."""
        try:
            return super().parse_args(ctx, list(args))
        except TyperError as error:
            if not re.match(r"-\d\Z|--\S*\s", getattr(error, "option_name", "")):
                raise
        ctx.ignore_unknown_options = True
        return super().parse_args(ctx, args)


def parsed(command: Any, context: Any, words: Sequence[str]) -> list[str]:
    """Parse as much of a line as there is of it, for completion; return the words that are left.

    No value is converted or checked, which would load pydantic and call what looks at values.
    """
    values, rest, _ = command.make_parser(context).parse_args(args=list(words))
    context.params.update({name: value for name, value in values.items() if value is not None})
    return list(rest)
