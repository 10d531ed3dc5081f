"""The options that commands have beside their own.

The global ones may stand before the command or after it; the last one said counts. The terms on which a unit of work
is run stand after it.
"""

import functools
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import fields, replace
from inspect import Parameter
from typing import Annotated, Any, get_args, get_type_hints

import typer

from dbctl.cli.choices import Format, Isolation, Log, named
from dbctl.cli.variables import says_yes
from dbctl.errors import UsageError
from dbctl.profiles.choosing import Wanted, is_pattern
from dbctl.records import record

GLOBAL_PANEL = "Global options"
_TERMS = "Transaction options"
_FORMAT = "dbctl.format"
_SHORT = "dbctl.json"
_WITHOUT_VARIABLE = ("json", "all_profiles")
"""Flags that no variable says: one is short for another option, and one is not to be said unseen."""


def _complete_profile(ctx: Any, incomplete: str) -> list[str]:
    from dbctl.profiles.completion import complete_profile

    return complete_profile(ctx, incomplete)


def as_parameters(options: type[Any]) -> list[Parameter]:
    """Return the fields of a dataclass of options as parameters of a command."""
    hints = get_type_hints(options, include_extras=True)
    return [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
        for field in fields(options)
    ]


def _say_format(context: typer.Context, value: Any) -> Any:
    """Remember the format that is said last: Typer asks in the order of the line, and all levels share `meta`.

    Raises:
        UsageError: --json stands beside another format.
    """
    if value:
        said = Format.JSON if value is True else value
        context.meta[_SHORT] = context.meta.get(_SHORT) or value is True
        if context.meta[_SHORT] and (other := {said, context.meta.get(_FORMAT, said)} - {Format.JSON}):
            raise UsageError(f"--json and --output {other.pop()} are both given", "give one of them")
        context.meta[_FORMAT] = said
    return value


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=GLOBAL_PANEL, show_default=False, **more)


@record
class Globals:
    """What was said of the global options; None or False where nothing was."""

    profile: Annotated[
        list[str] | None,
        _option(
            "--profile",
            "-p",
            help="The profile's name, or a pattern of several: 'shard-*'; may be said again.",
            metavar="NAME",
            autocompletion=_complete_profile,
        ),
    ] = None
    tagged: Annotated[
        list[str] | None, _option("--tag", help="All profiles with this tag; may be said again.", metavar="TAG")
    ] = None
    all_profiles: Annotated[bool, _option("--all", help="All profiles of the file and of its fleets.")] = False
    at_a_time: Annotated[
        int | None, _option("--jobs", min=1, help="Work on so many of several profiles at a time.", metavar="NUMBER")
    ] = None
    canary_first: Annotated[
        str | None,
        _option(
            "--canary", help="Of several, this one first, or so many; the rest if it is done.", metavar="NAME|NUMBER"
        ),
    ] = None
    stop_after: Annotated[
        int | None,
        _option("--max-failures", min=1, help="Begin no more of several when so many failed.", metavar="NUMBER"),
    ] = None
    done_file: Annotated[
        str | None,
        _option("--resume", help="Note in a file which of several are done, and leave those out.", metavar="FILE"),
    ] = None
    url: Annotated[
        str | None, _option("--url", help="A database URL, before any profile's. Passwords show in ps.", metavar="URL")
    ] = None
    config: Annotated[str | None, _option("--config", "-c", help="The profile file.", metavar="FILE")] = None
    ask_password: Annotated[
        bool, _option("--ask-password", help="Ask for the database's password on the terminal.")
    ] = False
    output: Annotated[
        Format | None,
        _option(
            "--output",
            "-o",
            metavar="FORMAT",
            help="How results are written: table, json, jsonl, csv or tsv; a table on a terminal, tsv in a pipe.",
            callback=_say_format,
        ),
    ] = None
    json: Annotated[bool, _option("--json", help="Short for --output json.", callback=_say_format)] = False
    quiet: Annotated[bool, _option("--quiet", "-q", help="Print errors only.")] = False
    log: Annotated[
        Log | None,
        _option("--log", metavar="FORMAT", help="How notes and errors are written: text, or json, an object a line."),
    ] = None
    metrics: Annotated[
        str | None,
        _option("--metrics", metavar="FILE", help="Write how it ended for Prometheus' node_exporter: FILE is one job."),
    ] = None
    no_color: Annotated[bool, _option("--no-color", help="No colours; as does NO_COLOR.")] = False
    no_pager: Annotated[bool, _option("--no-pager", help="Never show a long result by a pager.")] = False
    echo: Annotated[bool, _option("--echo", help="Show the SQL statements on stderr.")] = False
    debug: Annotated[bool, _option("--debug", help="Show tracebacks.")] = False

    @classmethod
    @functools.cache
    def parameters(cls) -> Sequence[Parameter]:
        """Return the options as parameters that can be added to a command's signature."""
        return as_parameters(cls)

    @classmethod
    def taken_from(cls, arguments: dict[str, Any]) -> "Globals":
        """Take the global options out of a command's arguments, and return them."""
        return cls(**{field.name: arguments.pop(field.name) for field in fields(cls) if field.name in arguments})

    def after(self, context: typer.Context) -> "Globals":
        """Return what holds when these options were said after those of the levels above."""
        above: Globals = context.obj or Globals()
        said = {name: value for name, value in vars(self).items() if value not in (None, False, [])}
        lists = {
            name: list(dict.fromkeys([*(getattr(above, name) or ()), *(getattr(self, name) or ())])) or None
            for name in ("profile", "tagged")
        }
        return replace(above, **said | {"output": context.meta.get(_FORMAT)} | lists)

    @property
    def wanted(self) -> "Wanted":
        """Which profiles are wanted; where it is not said DBCTL_PROFILE may have a pattern."""
        named = [] if self.says_which or os.environ.get("DBCTL_URL") else [os.environ.get("DBCTL_PROFILE", "")]
        return Wanted(self.profile or [*filter(is_pattern, named)], self.tagged or (), self.all_profiles)

    @property
    def says_which(self) -> bool:
        """Whether it was said on the line where to connect."""
        return bool(self.url is not None or self.profile or self.tagged or self.all_profiles)

    def with_variables(self, environ: Mapping[str, str] = os.environ) -> "Globals":
        """Return what holds where a variable says what was not said as an option.

        DBCTL_OUTPUT is asked for where the result is shown, and those of the profile where it is chosen: there the
        library asks for them too. A file of metrics is one job's, and so has no variable.

        Raises:
            UsageError: A variable says what is not allowed.
        """
        names = [field.name for field in fields(self) if field.default is False and field.name not in _WITHOUT_VARIABLE]
        flags: dict[str, Any] = {name: getattr(self, name) or says_yes(name, environ) for name in names}
        return replace(self, log=self.log or named("DBCTL_LOG", Log, environ), **flags)

    def writes_json(self, environ: Mapping[str, str] = os.environ) -> bool:
        """Tell whether results are for programs that read JSON."""
        return (self.output or environ.get("DBCTL_OUTPUT")) in {Format.JSON, Format.JSONL}

    def format(self, on_terminal: bool, environ: Mapping[str, str] = os.environ) -> Format:
        """Return the format to write in.

        Raises:
            UsageError: DBCTL_OUTPUT names none.
        """
        if self.output is not None:
            return self.output
        return named("DBCTL_OUTPUT", Format, environ) or (Format.TABLE if on_terminal else Format.TSV)


def _complete_isolation(incomplete: str) -> list[str]:
    return [level for level in Isolation if level.startswith(incomplete)]


def _term(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_TERMS, show_default=False, **more)


def _seconds(name: str, help: str, least: float = 0.001) -> Any:
    return _term(name, min=least, metavar="SECONDS", help=help)


@record
class Terms:
    """What was said of the terms on which a command's unit of work is run; None or False where nothing was."""

    dry_run: Annotated[bool, _term("--dry-run", help="Do all of it, show the result, and roll it back.")] = False
    confirm: Annotated[
        str | None,
        _term("--confirm", metavar="NAME", help="A protected profile's name, which allows it."),
    ] = None
    timeout: Annotated[float | None, _seconds("--timeout", "How long each statement may take.")] = None
    lock_timeout: Annotated[
        float | None,
        _seconds("--lock-timeout", "How long to wait for others' row and table locks."),
    ] = None
    deadline: Annotated[float | None, _seconds("--deadline", "How long all of it may take.")] = None
    isolation: Annotated[
        Isolation | None,
        _term(
            "--isolation",
            metavar="LEVEL",
            help="As in SQL, such as repeatable-read.",
            parser=Isolation.read,
            autocompletion=_complete_isolation,
        ),
    ] = None
    retries: Annotated[
        int,
        _term(
            "--retries", metavar="N", min=0, help="How often to repeat what others got in the way of; {} unless said."
        ),
    ] = 3
    lock: Annotated[
        str | None, _term("--lock", metavar="NAME", help="Keep out other runs with a lock of this name.")
    ] = None
    lock_wait: Annotated[float | None, _seconds("--lock-wait", "How long to wait for another run's lock.", 0)] = None
    no_lock: Annotated[
        bool, _term("--no-lock", help="Take no lock, where none can be had; no other run may be at it meanwhile.")
    ] = False
    skip_locked: Annotated[
        bool, _term("--skip-locked", help="Do nothing, with exit code 0, where another run holds the lock.")
    ] = False
    max_lag: Annotated[float | None, _seconds("--max-lag", "How far behind a standby may be.", 0)] = None
    read_only: Annotated[
        bool, _term("--read-only", help="Let the database refuse to write; what it yields is shown as it comes.")
    ] = False
    strict: Annotated[bool, _term("--strict", help="Refuse a COMMIT of the function's own, and roll all back.")] = False

    @classmethod
    def parameters(cls, names: Collection[str], retries: int = 3) -> Sequence[Parameter]:
        """Return those of the options that a command takes as its parameters.

        Args:
            names: Their names.
            retries: What `--retries` is unless it is said.
        """
        hints = get_type_hints(cls, include_extras=True)
        own = replace(cls(), retries=retries)
        return [
            Parameter(
                field.name,
                Parameter.KEYWORD_ONLY,
                default=getattr(own, field.name),
                annotation=_with_default(hints[field.name], getattr(own, field.name)),
            )
            for field in fields(cls)
            if field.name in names
        ]

    @classmethod
    def taken_from(cls, arguments: dict[str, Any]) -> "Terms":
        """Take the terms out of a command's arguments, and return them."""
        return cls(**{field.name: arguments.pop(field.name) for field in fields(cls) if field.name in arguments})

    def over_the_profile(self) -> Iterator[tuple[str, str, Any]]:
        """Return what goes before the profile's own values: the option, the profile's key, the value."""
        for option, key, value in (
            ("--timeout", "statement_timeout", self.timeout),
            ("--lock-timeout", "lock_timeout", self.lock_timeout),
            ("--isolation", "isolation", self.isolation and self.isolation.value),
            ("--lock", "lock", self.lock),
            ("--lock-wait", "lock_wait", self.lock_wait),
            ("--max-lag", "max_lag", self.max_lag),
        ):
            if value is not None:
                yield option, key, value


def _with_default(annotation: Any, default: Any) -> Any:
    """Return an option's annotation whose help tells the default where it has a place for it."""
    kind, (option,) = get_args(annotation)[0], annotation.__metadata__
    told = copy(option)
    told.help = option.help.replace("{}", str(default))
    return Annotated[kind, told]


TERM_OPTIONS = frozenset(f"--{field.name.replace('_', '-')}" for field in fields(Terms))
"""The names of the terms as options."""
