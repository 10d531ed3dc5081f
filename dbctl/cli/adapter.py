"""The adapter that turns a command function into a subcommand: its first parameter says what it needs."""

import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from inspect import Parameter, Signature
from types import ModuleType
from typing import Annotated, Any, get_type_hints

import typer
from typer.models import OptionInfo, ParameterInfo

from dbctl.cli import report, streams
from dbctl.cli.docstrings import Description
from dbctl.cli.exits import ExitCode
from dbctl.cli.metavars import metavar_of
from dbctl.cli.openers import NOTHING, opener_for
from dbctl.cli.opening import Opener
from dbctl.cli.options import Globals, Terms
from dbctl.cli.outcome import current
from dbctl.cli.parser import Subcommand
from dbctl.errors import ConfigError
from dbctl.work.effects import Effects, effects_of


def command_from(module: ModuleType, *, own: bool = False) -> Any:
    """Make the command function of a module into a subcommand.

    It is the function named like the module; where that is a word of Python's own, with an underscore behind.

    Args:
        module: The module.
        own: Whether it is a service's own.

    Raises:
        ConfigError: It has no such function, or what that needs can't be opened.
    """
    name = module.__name__.rpartition(".")[2]
    function = next((found for each in (name, f"{name}_") if callable(found := getattr(module, each, None))), None)
    if function is None:
        raise ConfigError(f"command {name}: there is no function {name} in {module.__file__}")
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())
    needed = hints.get(parameters.pop(0).name) if parameters else None
    opener = NOTHING if own and not inspect.signature(function).parameters else opener_for(needed, function.__name__)
    options = [
        parameter.replace(annotation=with_name(parameter.name, hints[parameter.name]), kind=Parameter.KEYWORD_ONLY)
        for parameter in parameters
    ]
    return subcommand(function, name.rstrip("_").replace("_", "-"), opener, effects_of(function), options, own=own)


def subcommand(
    function: Callable[..., Any],
    name: str,
    opener: Opener,
    effects: Effects,
    options: Sequence[Parameter],
    terms: Collection[str] = (),
    *,
    own: bool,
) -> Any:
    """Make a function into a subcommand.

    Args:
        function: The function, which is called with what it needs, and with its options by name.
        name: What is typed.
        opener: How what it needs is opened.
        effects: What it does.
        options: Its options and arguments, as parameters that Typer understands.
        terms: The terms that it takes besides the opener's.
        own: Whether it is a service's own.
    """
    description = Description.of(function.__doc__)
    app = typer.Typer(add_completion=False)
    settings: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
    if effects_of(function).passes_words_on:
        settings |= {"ignore_unknown_options": True, "allow_interspersed_args": False}
    register = app.command(name=name, cls=Subcommand, help=description.text, context_settings=settings)
    callback = _callback(function, opener, effects, options, terms, own=own)
    register(callback)
    command: Any = typer.main.get_command(app)
    command.description = description
    command.names_function = effects.names_function
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
            if report.errors_as_json():
                context.fail("no command is given")
            typer.echo(context.get_help(), err=True, color=streams.colours(sys.stderr))
            raise typer.Exit(ExitCode.USAGE)

    return with_signature(remember, Globals.parameters())


def _callback(
    function: Callable[..., Any],
    opener: Opener,
    effects: Effects,
    options: Sequence[Parameter],
    terms: Collection[str],
    *,
    own: bool,
) -> Callable[..., None]:
    def call(context: typer.Context, **arguments: Any) -> None:
        from dbctl.cli.run import run

        said = Globals.taken_from(arguments).after(context).with_variables()
        taken = Terms.taken_from(arguments)
        current().command = context.command_path.partition(" ")[2]
        raise typer.Exit(run(function, opener, arguments, said, taken, effects, own=own))

    taken = Terms.parameters({*opener.terms_of(effects), *terms}, effects.retries)
    return with_signature(call, [*options, *taken, *_without_names_of(options)])


def _without_names_of(options: Sequence[Parameter]) -> Iterator[Parameter]:
    """Yield the global options, without the names that a command's own options have; without any it is left out."""
    own = {name for each in options for info in _infos(each) for name in _names(info)}
    for each in Globals.parameters():
        (info,) = _infos(each)
        names = [name for name in _names(info) if name not in own]
        if names == _names(info):
            yield each
        elif names:
            renamed = copy(info)
            renamed.default, renamed.param_decls = names[0], tuple(names[1:])
            yield each.replace(annotation=Annotated[each.annotation.__origin__, renamed])


def _names(info: OptionInfo) -> list[str]:
    """Return an option's names as they were given: in an annotation the first stands where its default might."""
    first = [info.default] if isinstance(info.default, str) and info.default.startswith("-") else []
    return [*first, *(info.param_decls or ())]


def _infos(parameter: Parameter) -> list[OptionInfo]:
    return [info for info in getattr(parameter.annotation, "__metadata__", ()) if isinstance(info, OptionInfo)]


def with_name(name: str, annotation: Any) -> Any:
    """Name an option by its parameter; Typer before 0.28 takes `--TEAM` from a metavar that is the same word.

    In a copy, for an annotation may serve several parameters.
    """
    metadata = []
    for info in getattr(annotation, "__metadata__", ()):
        named = info
        if isinstance(info, OptionInfo) and info.metavar and info.default is ...:  # where its first name stands
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
