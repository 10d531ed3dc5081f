"""The parameters of a service's own function as options, by Typer's rules and those that it lacks."""

import inspect
import json
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from inspect import Parameter
from typing import IO, Annotated, Any, BinaryIO, TextIO, Union, get_args, get_origin

import typer
from typer.models import ParameterInfo

from dbctl.cli.adapter import with_name
from dbctl.errors import ConfigError

_PARSERS: Mapping[Any, tuple[Callable[[str], Any], str, str]] = {
    date: (date.fromisoformat, "DATE", "a date, such as 2026-01-31"),
    time: (time.fromisoformat, "TIME", "a time, such as 17:30"),
    Decimal: (Decimal, "NUMBER", "a number"),
    dict: (json.loads, "JSON", "JSON"),
}
"""How those types are read that Typer has no rule for."""

_FILES: Mapping[Any, Any] = {
    TextIO: typer.FileText,
    IO[str]: typer.FileText,
    BinaryIO: typer.FileBinaryRead,
    IO[bytes]: typer.FileBinaryRead,
}
"""What Typer calls an open file, for which `-` is standard input."""


def option(name: str, parameter: Parameter, hint: Any, help: str | None) -> Parameter:
    """Return a function's parameter as an option, by Typer's rules where it says nothing of itself."""
    said = [info for info in getattr(hint, "__metadata__", ()) if isinstance(info, ParameterInfo)]
    if said or isinstance(parameter.default, ParameterInfo):
        return parameter.replace(name=name, kind=Parameter.KEYWORD_ONLY, annotation=hint)
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    kind = value_kind(hint)
    more: dict[str, Any] = {}
    if kind in _PARSERS:
        read, more["metavar"], expected = _PARSERS[kind]
        more["parser"] = _parser(read, expected)
    elif kind in _FILES:
        hint = _FILES[kind]
    elif hint is Any:
        hint = str
    annotation = with_name(name, Annotated[hint, typer.Option(help=help, **more)])
    return parameter.replace(name=name, kind=Parameter.KEYWORD_ONLY, annotation=annotation)


def _parser(read: Callable[[str], Any], expected: str) -> Callable[[Any], Any]:
    def parse(text: Any) -> Any:
        if not isinstance(text, str):
            return text  # a default
        try:
            return read(text)
        except (ValueError, ArithmeticError):
            raise typer.BadParameter(f"'{text}' is not {expected}") from None

    return parse


def value_kind(hint: Any, *, through_sets: bool = True) -> Any:
    """Return the type of one value: without what may be missing, and of a list that of its items.

    Args:
        hint: The annotation.
        through_sets: Whether it is that of its items of a set too; else `set` or `frozenset`.
    """
    if hint in _FILES:
        return hint
    origin = get_origin(hint)
    if origin is dict:
        return dict
    if origin in {set, frozenset} and not through_sets:
        return origin
    inner = [one for one in get_args(hint) if one is not type(None)]
    if inner and (origin in {list, set, tuple, Union, Annotated} or origin is type(int | None)):
        return value_kind(inner[0], through_sets=through_sets)
    return hint


def refuse_unknown(target: str, option: Parameter) -> None:
    """Refuse a parameter of which Typer can make no option."""
    try:
        app = typer.Typer(add_completion=False)

        def probe(**_: Any) -> None:
            """Take it."""

        probe.__signature__ = inspect.Signature([option])  # type: ignore[attr-defined]
        probe.__annotations__ = {option.name: option.annotation}
        app.command()(probe)
        typer.main.get_command(app)
    except Exception as error:
        name = option.name.removeprefix("arg_")
        kind = get_args(option.annotation)[0] if get_origin(option.annotation) is Annotated else option.annotation
        shown = getattr(kind, "__name__", None) or str(kind)
        raise ConfigError(
            f"{target}: its parameter {name} is annotated with {shown}, of which no option can be made",
            "annotate it with a type that Typer knows",
        ) from error
