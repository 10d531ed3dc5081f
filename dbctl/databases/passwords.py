"""Where a new role's password comes from: never an argument, which all on the machine can read."""

from __future__ import annotations

from collections.abc import Callable

from dbctl.errors import UsageError
from dbctl.profiles.secrets import from_environment, from_file


def new_password(env: str | None, file: str | None, ask: Callable[[], str]) -> str:
    """Return a new role's password.

    Args:
        env: The environment variable that holds it, or None.
        file: The path of the file whose first line it is, or None.
        ask: Asks a person, where neither is named.

    Raises:
        UsageError: Both are named, or it is empty.
        ConfigError: The source gives none.
    """
    if env is not None and file is not None:
        raise UsageError("the password has two sources", "give one of them")
    password = from_environment(env) if env is not None else from_file(file) if file is not None else ask()
    if not password:
        raise UsageError("the password is empty", "give one")
    return password
