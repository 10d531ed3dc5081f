"""The options that every command has. They may stand before the command or after it; the last one said counts."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from inspect import Parameter
from typing import Annotated, Any, get_type_hints

import typer

from dbctl.errors import ConfigError, UsageError

_PANEL = "Global options"


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"


def _complete_profile(context: typer.Context, incomplete: str) -> list[str]:
    from dbctl.profiles import Profiles

    try:
        names = Profiles.load(context.params.get("config")).names()
    except ConfigError:
        return []  # a file that can't be read has no names to offer, and completion has nowhere to say why
    return [name for name in names if name.startswith(incomplete)]


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_PANEL, show_default=False, **more)


@dataclass(frozen=True)
class Globals:
    """What was said of the global options; None where nothing was."""

    profile: Annotated[
        str | None,
        _option("--profile", "-p", help="The profile's name.", metavar="NAME", autocompletion=_complete_profile),
    ] = None
    url: Annotated[
        str | None, _option("--url", help="A database URL, before any profile's. Passwords show in ps.", metavar="URL")
    ] = None
    config: Annotated[str | None, _option("--config", "-c", help="The profile file.", metavar="FILE")] = None
    output: Annotated[
        Format | None, _option("--output", "-o", help="How results are written: a table, or tsv in a pipe.")
    ] = None
    json: Annotated[bool | None, _option("--json", help="Short for --output json.")] = None
    quiet: Annotated[bool | None, _option("--quiet", "-q", help="Print errors only.")] = None
    no_color: Annotated[bool | None, _option("--no-color", help="No colours; as does NO_COLOR.")] = None
    echo: Annotated[bool | None, _option("--echo", help="Show the SQL statements on stderr.")] = None
    debug: Annotated[bool | None, _option("--debug", help="Show tracebacks.")] = None

    @classmethod
    def parameters(cls) -> Iterator[Parameter]:
        """Return the options as parameters that can be added to a command's signature."""
        for name, annotation in get_type_hints(cls, include_extras=True).items():
            yield Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)

    @classmethod
    def taken_from(cls, arguments: dict[str, Any]) -> "Globals":
        """Take the global options out of a command's arguments, and return them."""
        return cls(**{field.name: arguments.pop(field.name) for field in fields(cls)})

    def over(self, before: "Globals | None") -> "Globals":
        """Return what holds when these options were said after others."""
        said = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}
        return replace(before or Globals(), **said)

    def format(self, on_terminal: bool, environ: Mapping[str, str] = os.environ) -> Format:
        """Return the format to write in.

        Raises:
            UsageError: DBCTL_OUTPUT names none.
        """
        if self.output is not None:
            return self.output
        if self.json:
            return Format.JSON
        named = environ.get("DBCTL_OUTPUT")
        if named is None or named == "":
            return Format.TABLE if on_terminal else Format.TSV
        try:
            return Format(named)
        except ValueError:
            raise UsageError(f"DBCTL_OUTPUT={named}: allowed is {', '.join(Format)}") from None
