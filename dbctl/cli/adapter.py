"""The adapter that turns a command function into a subcommand: its first parameter says what it needs."""

import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter, Signature
from types import ModuleType
from typing import Annotated, Any, get_type_hints

import typer

from dbctl import __version__
from dbctl.cli import streams
from dbctl.cli.exits import ExitCode
from dbctl.cli.openers import opener_for
from dbctl.cli.options import Globals, Terms
from dbctl.work.effects import effects_of


def command_from(module: ModuleType) -> Any:
    """Make the command function of a module into a subcommand.

    It is the function named like the module; where that is a word of Python's own, with an underscore behind.
    """
    name = module.__name__.rpartition(".")[2]
    function: Callable[..., Any] = getattr(module, name, None) or getattr(module, f"{name}_")
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    register = app.command(
        name=name.replace("_", "-"),
        help=_help(function),
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    register(_subcommand(function))
    return typer.main.get_command(app)


def group_callback(*, root: bool) -> Callable[..., None]:
    """Return the callback of a group, which remembers the global options said before the subcommand."""

    def remember(context: typer.Context, **arguments: Any) -> None:
        if arguments.pop("version", False):
            streams.write([f"dbctl {__version__}\n"])
            raise typer.Exit(ExitCode.DONE)
        context.obj = Globals.taken_from(arguments).after(context)
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())
            raise typer.Exit(ExitCode.USAGE)

    version: Any = Annotated[bool, typer.Option("--version", help="Show the version and exit.")]
    own = [Parameter("version", Parameter.KEYWORD_ONLY, default=False, annotation=version)] if root else []
    return _with_signature(remember, [*own, *Globals.parameters()])


def _subcommand(function: Callable[..., Any]) -> Callable[..., None]:
    effects = effects_of(function)
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())
    needed = hints.get(parameters.pop(0).name) if parameters else None
    opener = opener_for(needed, function.__name__)

    def subcommand(context: typer.Context, **arguments: Any) -> None:
        from dbctl.cli.run import run

        said = Globals.taken_from(arguments).after(context)
        terms = Terms.taken_from(arguments)
        raise typer.Exit(run(function, opener, arguments, said, terms, effects))

    own = [parameter.replace(annotation=hints[parameter.name], kind=Parameter.KEYWORD_ONLY) for parameter in parameters]
    terms = Terms.parameters(opener.terms_of(effects))
    return _with_signature(subcommand, [*own, *terms, *Globals.parameters()])


def _with_signature(function: Callable[..., None], parameters: list[Parameter]) -> Callable[..., None]:
    """Give a function the signature that Typer shall see, after the context."""
    context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    every = [context, *parameters]
    function.__signature__ = Signature(every)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return function


def _help(function: Callable[..., Any]) -> str:
    """Return the docstring up to its sections for programmers."""
    return "\n".join(_until_section(inspect.getdoc(function) or "")).rstrip()


def _until_section(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line in {"Args:", "Returns:", "Raises:"}:
            return
        yield line
