"""What the parameters of a service's own function are annotated with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from dbctl.errors import ConfigError


def hints_of(function: Callable[..., Any], target: str) -> Mapping[str, Any]:
    """Return what the parameters are annotated with; a name that only type checkers know may be one of the table's.

    Args:
        function: The function.
        target: What it was named by.

    Raises:
        ConfigError: An annotation can't be read.
    """
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        pass  # once more, with more names
    try:
        return get_type_hints(function, localns=_promised() | _globals(function), include_extras=True)
    except NameError as error:
        raise ConfigError(
            f"{target}: {error}, which an annotation of it says", "import it also where no type checker runs"
        ) from error
    except (TypeError, AttributeError, SyntaxError) as error:
        raise ConfigError(f"{target}: an annotation of it can't be read: {error}", "correct it") from error


def _globals(function: Any) -> dict[str, Any]:
    found = getattr(inspect.unwrap(function), "__globals__", {})
    return dict(found)


def _promised() -> dict[str, Any]:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
    from sqlmodel import Session

    from dbctl import Database, Profile

    kinds = (Session, AsyncSession, Connection, AsyncConnection, Engine, AsyncEngine, Profile, Database)
    return {one.__name__: one for one in kinds}
