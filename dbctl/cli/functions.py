"""A service's own function as a subcommand, with its parameters as options: `dbctl run app.seed:users --count 3`."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial, wraps
from inspect import Parameter
from operator import attrgetter
from pathlib import Path
from typing import Any

from dbctl.cli.adapter import subcommand
from dbctl.cli.annotations import hints_of
from dbctl.cli.calls import Call
from dbctl.cli.docstrings import parameters_in
from dbctl.cli.line import CONFIG_OPTIONS, value_named
from dbctl.cli.openers import LOCKED_PROFILE, NOTHING, known_opener
from dbctl.cli.opening import Opener
from dbctl.cli.options import Globals, Terms
from dbctl.cli.outcome import current
from dbctl.cli.parameters import option, refuse_unknown, value_kind
from dbctl.errors import ConfigError, DbctlError, UsageError
from dbctl.profiles.words import nearest
from dbctl.results import drawn
from dbctl.tables.options import AppDir
from dbctl.work.effects import effects_of
from dbctl.work.functions import OwnFunction

_TARGET = re.compile(r"(?!\d)[\w.]+:(?!\d)[\w.]+")
_STDIN = Path("/dev/stdin")

_PROMISED = (
    "Session",
    "AsyncSession",
    "Connection",
    "AsyncConnection",
    "Engine",
    "AsyncEngine",
    "Profile",
    "Database",
)


def function_named(command: Any, context: Any, words: Sequence[str]) -> tuple[str, Any, list[str]] | None:
    """Return the service's own function that a line names as a command, with the words that are its own.

    Args:
        command: The command whose first argument may name one.
        context: The context of the group that it is in.
        words: What stands behind it on the line.

    Returns:
        The function as it was named, the command, and the words without that; None where the line names none.

    Raises:
        ConfigError: Its module can't be imported, or a parameter can't be an option.
        UsageError: There is no such function.
    """
    index = next((at for at in _values(command, words) if _names_function(words[at])), None)
    if index is None:
        return None
    target = words[index]
    try:
        found = _command(target, _app_dir(context, words))
    except DbctlError:
        current().command = " ".join([*context.command_path.split(" ")[1:], command.name, target])
        raise
    found.page = command.page
    return target, found, [*words[:index], *words[index + 1 :]]


def calling(target: str, call: Call) -> Callable[[], Any]:
    """Return what calls a service's own function as the command `run` does, on a profile that is chosen already.

    Args:
        target: The function, `package.module:function`.
        call: The call of the command for which it is called.

    Raises:
        ConfigError: Its module can't be imported, or it needs an option.
        UsageError: There is no such function.
    """
    assert call.chosen is not None, "the profile is chosen"
    found = _function(target, call.chosen.app_dir or ".")
    parameters = _signature(found, target)
    function = _plain(found)
    opener, needs_first = _needed(parameters, hints_of(function, target))
    for one in parameters[1:] if needs_first else parameters:
        if one.default is one.empty and one.kind not in {one.VAR_KEYWORD, one.VAR_POSITIONAL}:
            raise ConfigError(f"{target}: its parameter {one.name} has no default, and nobody is asked for it")
    own = OwnFunction(function)
    effects = replace(effects_of(function), writes=True, repeatable=True, retries=0)
    terms = replace(call.terms, retries=0)
    its = replace(call, function=own, arguments={}, terms=terms, effects=effects, deliver=drawn, own=True)
    return own.telling(opener.prepare(its))


def _needed(parameters: Sequence[Parameter], hints: Mapping[str, Any]) -> tuple[Opener, bool]:
    """Return how what a function's first parameter asks for is opened, and whether it asks for anything."""
    opener = _opener(hints.get(parameters[0].name)) if parameters else None
    return (NOTHING, False) if opener is None else (opener, True)


def _values(command: Any, words: Sequence[str]) -> Iterator[int]:
    """Yield the places of the words that are no options, nor values of those that the command itself has."""
    taking = {
        name for one in command.params if one.param_type_name == "option" and not one.is_flag for name in one.opts
    }
    skip = False
    for at, word in enumerate(words):
        if skip:
            skip = False
        elif word.startswith("-") and word != "-":
            skip = word in taking
        else:
            yield at


def _names_function(word: str) -> bool:
    return bool(_TARGET.fullmatch(word)) and not word.endswith(".sql") and not Path(word).is_file()


def _app_dir(context: Any, words: Sequence[str]) -> str:
    """Return where the line's profile has modules imported from; what is wrong with it is told when it is used."""
    from dbctl.profiles import Profiles
    from dbctl.profiles.choosing import app_dir_of_several

    above: dict[str, Any] = {}
    while context is not None:
        above = {key: value for key, value in context.params.items() if value} | above
        context = context.parent
    said = value_named(words, ["--app-dir"])
    if said is not None:
        return said
    profile = value_named(words, ["--profile", "-p"]) or next(iter(reversed(above.get("profile") or [])), None)
    config = value_named(words, CONFIG_OPTIONS) or above.get("config")
    try:
        profiles = Profiles.load(config, name=profile, url=above.get("url"))
    except ConfigError:
        return "."
    try:
        return profiles.select().app_dir or "."
    except ConfigError:
        return app_dir_of_several(profiles, profile) or "."


def _command(target: str, app_dir: str) -> Any:
    found = _function(target, app_dir)
    parameters = _signature(found, target)
    function = _plain(found)
    hints = hints_of(function, target)
    _refuse(target, parameters, hints)
    opener, needs_first = _needed(parameters, hints)
    if needs_first:
        parameters.pop(0)
    for one in parameters:
        if known_opener(hints.get(one.name)) is not None:
            kind = getattr(hints[one.name], "__name__", hints[one.name])
            raise ConfigError(
                f"{target}: its parameter {one.name} is no option: it is a {kind}",
                "what a function works on is its first parameter",
            )
    terms = ("read_only", "strict") if "retries" in opener.terms else ()
    taken = {
        *opener.terms_of(effects_of(function)),
        *terms,
        *Globals.__dataclass_fields__,
        "app_dir",
        "help",
        "context",
    }
    taken |= set(Terms.__dataclass_fields__)
    names = {f"arg_{one.name}" if one.name in taken else one.name: one for one in parameters}
    helps = parameters_in(function.__doc__)
    options = [option(name, one, hints.get(one.name, str), helps.get(one.name)) for name, one in names.items()]
    effects = replace(effects_of(function), writes=True, repeatable=True, retries=0)
    app_dir_option = Parameter("app_dir", Parameter.KEYWORD_ONLY, default=None, annotation=AppDir)
    called = _called(function, names, hints)
    try:
        return subcommand(called, target, opener, effects, [*options, app_dir_option], terms, own=True)
    except Exception as error:  # whatever Typer raises, which does not say of which parameter
        for one in options:
            refuse_unknown(target, one)
        raise ConfigError(f"{target}: its parameters can't be options: {error}") from error


def _function(target: str, app_dir: str) -> Callable[..., Any]:
    from dbctl.runtime.importing import imported, put_on_path

    name, _, path = target.partition(":")
    put_on_path(app_dir)
    module = imported(name, app_dir, target, keep_logging=True)
    try:
        function = attrgetter(path)(module)
    except AttributeError:
        known = [
            each
            for each, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module.__name__ and not each.startswith("_")
        ]
        raise UsageError(f"{target}: there is no {path} in {name}", nearest(path, known)) from None
    if not callable(function):
        raise UsageError(f"{target}: it is no function, but of the type {type(function).__name__}", "name a function")
    return function  # type: ignore[no-any-return]


def _signature(function: Callable[..., Any], target: str) -> list[Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise UsageError(f"{target}: it does not tell its parameters: {error}", "name a function in Python") from error


def _plain(found: Callable[..., Any]) -> Callable[..., Any]:
    """Return a callable object, such as a partial function, as a function that has its annotations and its words."""
    # From Python 3.14 on a partial function is a method's descriptor, and so a routine.
    if not isinstance(found, partial) and (inspect.isroutine(found) or inspect.isclass(found)):
        return found
    inner: Any = found
    while isinstance(inner, partial):
        inner = inner.func
    if not (inspect.isroutine(inner) or inspect.isclass(inner)):
        inner = type(inner).__call__

    @wraps(inner)
    def call(*needed: Any, **arguments: Any) -> Any:
        return found(*needed, **arguments)

    return call


def _refuse(target: str, parameters: Sequence[Parameter], hints: Mapping[str, Any]) -> None:
    """Refuse parameters that can be no options, lest they be left out."""
    for one in parameters:
        if one.kind in {one.VAR_KEYWORD, one.VAR_POSITIONAL}:
            raise ConfigError(
                f"{target}: its parameter {str(one).partition(':')[0]} can't be an option",
                "name a function that has each parameter by its name",
            )
        if value_kind(hints.get(one.name), through_sets=False) in {set, frozenset}:
            raise ConfigError(
                f"{target}: its parameter {one.name} is annotated with a set, of which no option can be made",
                "annotate it with a list",
            )
    if parameters and parameters[0].name not in hints and parameters[0].name in {"session", "connection", "engine"}:
        name = parameters[0].name
        raise ConfigError(
            f"{target}: its first parameter {name} has no annotation, which would say what it is",
            f"write {name}: {name.title()}",
        )


def _opener(needed: Any) -> Opener | None:
    found = known_opener(needed)
    return LOCKED_PROFILE if found is not None and found is known_opener(_profile()) else found


def _profile() -> Any:
    from dbctl.profiles.model import Profile

    return Profile


def _called(
    function: Callable[..., Any], names: Mapping[str, Parameter], hints: Mapping[str, Any]
) -> Callable[..., Any]:
    """Return what calls a function with its options by the names that they have on the line."""
    paths = {name for name, one in names.items() if value_kind(hints.get(one.name)) is Path}

    @wraps(function)
    def call(*needed: Any, app_dir: str | None = None, **arguments: Any) -> Any:
        first = list(needed)
        named: dict[str, Any] = {}
        for name, one in names.items():
            value = arguments[name]
            value = _STDIN if name in paths and value == Path("-") else value
            if one.kind is Parameter.POSITIONAL_ONLY:
                first.append(value)
            else:
                named[one.name] = value
        return function(*first, **named)

    return call
