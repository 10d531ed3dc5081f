"""A database's terminal clients: how each is told of a profile's connection, and of its password in a file alone.

What a client keeps of its own (its history, its prompt, its keys) is left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from dbctl.records import record

NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
"""What has a client of Python neither look for a password in the system's keyring nor store one there.

https://keyring.readthedocs.io/en/latest/#config-file-path
"""


@record
class Start:
    """How a client is started on a profile; everybody on the machine can read the arguments.

    Args:
        arguments: Those that stand before a person's own.
        environment: The variables that it is given besides those that are inherited.
    """

    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@record
class Opening:
    """What a client is to be started for.

    Args:
        program: Its path.
        directory: Where files may be made that nobody else can read.
        read_only: Whether the session is to be read-only.
    """

    program: str
    directory: Path
    read_only: bool


@record
class Client:
    """A terminal client.

    Args:
        program: The program's name.
        package: What installs it.
        start: Returns how it is started on a backend. It raises ConfigError where the client can't do what the profile
            says.
        completes: Whether it is made for a person at a terminal, and not for scripts.
        variables: What it reads of the environment besides the backend's `client_variables`.
    """

    program: str
    package: str
    start: Callable[[Any, Opening], Start]
    completes: bool = False
    variables: Collection[str] = ()
