"""What stands for a value in help and errors: NAME, N, FILE, and not the type that Python has for it."""

import types
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_BY_TYPE: tuple[tuple[type, str], ...] = ((int, "N"), (float, "NUMBER"), (Path, "FILE"))
_LONGEST = 24


def metavar_of(parameter: Any, annotation: Any) -> str:
    """Return what stands for the value of a parameter that says nothing of it itself.

    Args:
        parameter: The parameter as Typer has it.
        annotation: What the command function says of its type.
    """
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper().replace("_", "-")
    kind = _value_type(annotation)
    if choices := _choices(kind):
        listed = "|".join(choices)
        return listed if len(listed) <= _LONGEST else str(parameter.name).upper().replace("_", "-")
    return next((metavar for known, metavar in _BY_TYPE if isinstance(kind, type) and issubclass(kind, known)), "TEXT")


def _value_type(annotation: Any) -> Any:
    """Return the type of one value: without what may be missing, and of a list that of its items."""
    origin = get_origin(annotation)
    if origin is Annotated or origin is list:
        return _value_type(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return _value_type(next(one for one in get_args(annotation) if one is not type(None)))
    return annotation


def _choices(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    return [str(choice.value) for choice in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []
