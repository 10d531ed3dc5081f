"""The adapter that turns a command function into a subcommand: its first parameter says what it needs."""

import inspect
import sys
from collections.abc import Callable, Sequence
from copy import copy
from inspect import Parameter, Signature
from types import ModuleType
from typing import Annotated, Any, get_type_hints

import typer
from typer.models import OptionInfo, ParameterInfo

from dbctl.cli import streams
from dbctl.cli.docstrings import Description
from dbctl.cli.exits import ExitCode
from dbctl.cli.metavars import metavar_of
from dbctl.cli.openers import opener_for
from dbctl.cli.options import Globals, Terms
from dbctl.cli.parser import Subcommand
from dbctl.work.effects import effects_of


def command_from(module: ModuleType) -> Any:
    """Make the command function of a module into a subcommand.

    It is the function named like the module; where that is a word of Python's own, with an underscore behind.
    """
    name = module.__name__.rpartition(".")[2]
    function: Callable[..., Any] = getattr(module, name, None) or getattr(module, f"{name}_")
    description = Description.of(function.__doc__)
    app = typer.Typer(add_completion=False)
    settings: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
    if effects_of(function).passes_words_on:
        settings |= {"ignore_unknown_options": True, "allow_interspersed_args": False}
    register = app.command(
        name=name.replace("_", "-"), cls=Subcommand, help=description.text, context_settings=settings
    )
    callback = _subcommand(function)
    register(callback)
    command: Any = typer.main.get_command(app)
    command.description = description
    for parameter in command.params:
        annotation = callback.__annotations__[parameter.name]
        parameter.metavar = parameter.metavar or metavar_of(parameter, annotation)
        # Typer before 0.27.3 loses the help of arguments where Click is 8.5.
        parameter.help = getattr(parameter, "help", None) or _help_in(annotation)
    return command


def _help_in(annotation: Any) -> str | None:
    return next(
        (info.help for info in getattr(annotation, "__metadata__", ()) if isinstance(info, ParameterInfo)), None
    )


def group_callback() -> Callable[..., None]:
    """Return the callback of a group, which remembers the global options said before the subcommand.

    A group that is given no command shows its commands, on stderr and with exit code 2: in a script the command was in
    a variable that is empty, and what was to be done is not.
    """

    def remember(context: typer.Context, **arguments: Any) -> None:
        context.obj = Globals.taken_from(arguments).after(context)
        if context.invoked_subcommand is None:
            typer.echo(context.get_help(), err=True, color=streams.colours(sys.stderr))
            raise typer.Exit(ExitCode.USAGE)

    return with_signature(remember, Globals.parameters())


def _subcommand(function: Callable[..., Any]) -> Callable[..., None]:
    effects = effects_of(function)
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())
    needed = hints.get(parameters.pop(0).name) if parameters else None
    opener = opener_for(needed, function.__name__)

    def subcommand(context: typer.Context, **arguments: Any) -> None:
        from dbctl.cli.run import run

        said = Globals.taken_from(arguments).after(context).with_variables()
        terms = Terms.taken_from(arguments)
        raise typer.Exit(run(function, opener, arguments, said, terms, effects))

    annotations = [_with_name(parameter.name, hints[parameter.name]) for parameter in parameters]
    own = [
        parameter.replace(annotation=annotation, kind=Parameter.KEYWORD_ONLY)
        for parameter, annotation in zip(parameters, annotations, strict=True)
    ]
    terms = Terms.parameters(opener.terms_of(effects))
    return with_signature(subcommand, [*own, *terms, *Globals.parameters()])


def _with_name(name: str, annotation: Any) -> Any:
    """Name an option by its parameter; Typer before 0.28 takes `--TEAM` from a metavar that is the same word.

    In a copy, for an annotation may serve several parameters.
    """
    metadata = []
    for info in getattr(annotation, "__metadata__", ()):
        named = info
        if isinstance(info, OptionInfo) and info.metavar and not info.param_decls:
            named = copy(info)
            named.param_decls = (f"--{name.replace('_', '-')}",)
        metadata.append(named)
    return Annotated[(annotation.__origin__, *metadata)] if metadata else annotation


def with_signature(function: Callable[..., None], parameters: Sequence[Parameter]) -> Callable[..., None]:
    """Give a function the signature that Typer shall see, after the context."""
    context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    every = [context, *parameters]
    function.__signature__ = Signature(every)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return function
